package cascade

// wheel says which chain has its next event when. The span of the stream is cut into ticks,
// and a tick holds a linked list of chains, so that putting and taking cost the same
// whatever the number of chains. Lists are last in, first out: a chain whose next event is
// in the same tick goes on at once.
type wheel struct {
	head []int32 // first chain of a tick, -1: none
	next []int32 // by chain
	tick int
	left int // chains in the wheel
}

func newWheel(ticks, chains int) *wheel {
	w := &wheel{head: make([]int32, ticks), next: make([]int32, chains)}
	for i := range w.head {
		w.head[i] = -1
	}
	return w
}

// put schedules a chain, not before the present tick and not after the last.
func (w *wheel) put(chain int32, tick int) {
	tick = min(max(tick, w.tick), len(w.head)-1)
	w.next[chain] = w.head[tick]
	w.head[tick] = chain
	w.left++
}

// take moves on to the tick of the next event and removes its chain; ok is false when none is left.
func (w *wheel) take() (chain int32, ok bool) {
	if w.left == 0 {
		return 0, false
	}
	for w.head[w.tick] < 0 {
		w.tick++
	}
	chain = w.head[w.tick]
	w.head[w.tick] = w.next[chain]
	w.left--
	return chain, true
}
