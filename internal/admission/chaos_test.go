package admission

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Two chains claim one user at the same moment: one of them gets it.
func TestTwoChainsOneUser(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		const users, workers = 40, 16
		change := func(c *Config) { c.Partitions = workers }
		gates := []*Gate{newGate(t, at, change), newGate(t, at, change)}
		var os []*Owner
		for p := range int32(workers) {
			os = append(os, gates[p%2].Own(p, &state{}))
		}
		holders := make([][]int, workers)
		var wg sync.WaitGroup
		for p, o := range os {
			wg.Go(func() {
				for user := range int64(users) {
					as := make([]Answer, 2)
					n := int64(p)*1000 + user
					if err := o.Admit(timeout(t), []Ask{join(user+1, int64(p+100), n), link(user+1, n)}, as); err != nil {
						t.Error(err)
					}
					holders[p] = append(holders[p], int(as[0].Claim), int(as[1].Share))
				}
			})
		}
		wg.Wait()
		for user := range users {
			claimed, shared := 0, 0
			for p := range workers {
				if holders[p][2*user] == int(Yes) {
					claimed++
				}
				if holders[p][2*user+1] == int(Yes) {
					shared++
				}
			}
			if claimed != 1 || shared != 5 {
				t.Errorf("user %d is claimed by %d chains and shared %d times, want 1 and 5", user+1, claimed, shared)
			}
		}
	})
}

// chaosWorker is a partition whose chain wants every user and shares as often as it may.
type chaosWorker struct {
	rng   *rand.Rand
	p     int32
	state *state
	owner *Owner
	mine  map[int64]bool
	next  int64 // offset
}

const chaosUsers = 60

// step asks for a few users at once and folds what it is told, but for some events that are
// refused after all and released.
func (w *chaosWorker) step(t *testing.T, now int64) {
	var asks []Ask
	asked := map[int64]bool{}
	for range 1 + w.rng.IntN(8) {
		user := 1 + w.rng.Int64N(chaosUsers)
		w.next++
		n := int64(w.p+1)<<32 + w.next
		if w.rng.IntN(3) == 0 {
			asks = append(asks, atTime(link(user, n), now))
		} else if !w.mine[user] && !asked[user] {
			asked[user] = true
			asks = append(asks, join(user, int64(w.p)+100, n))
		}
	}
	as := make([]Answer, len(asks))
	if err := w.owner.Admit(timeout(t), asks, as); err != nil {
		t.Error(err)
		return
	}
	w.state.mu.Lock()
	defer w.state.mu.Unlock()
	for i, a := range asks {
		if as[i].Claim != Yes && as[i].Share != Yes {
			continue
		}
		if w.rng.IntN(4) == 0 {
			w.owner.Release([]Release{undo(a)})
			continue
		}
		if a.Want == WantShare {
			w.state.shares = append(w.state.shares, Share{User: a.User, EventTimeMS: a.EventTimeMS, Event: a.Event})
			continue
		}
		w.mine[a.User] = true
		w.state.claims = append(w.state.claims, Claim{Campaign: 1, User: a.User, Chain: a.Chain, Offset: a.Offset, Event: a.Event})
	}
}

// work steps until it is stopped, now and then after a move to the other process.
func (w *chaosWorker) work(t *testing.T, gates []*Gate, now int64, stop <-chan struct{}) {
	for !t.Failed() {
		select {
		case <-stop:
			return
		default:
		}
		w.step(t, now)
		if w.rng.IntN(20) == 0 {
			w.owner.Close()
			w.owner = gates[w.rng.IntN(2)].Own(w.p, w.state)
		}
	}
}

func (w *chaosWorker) idle(t *testing.T, end <-chan struct{}) {
	for {
		select {
		case <-end:
			return
		case <-w.owner.Wanted():
			if _, err := w.owner.Rebuild(timeout(t)); err != nil {
				t.Error(err)
			}
		}
	}
}

// Redis stopped, emptied, killed, back, while partitions move between two processes: no user in
// two chains, no limit exceeded, every ask answered.
func TestChaos(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		gates := []*Gate{newGate(t, at, nil), newGate(t, at, nil)}
		now := time.Now().UnixMilli()
		ws := make([]*chaosWorker, testPartitions)
		for p := range ws {
			w := &chaosWorker{rng: rand.New(rand.NewPCG(seed, uint64(p))), p: int32(p), state: &state{}, mine: map[int64]bool{}}
			w.owner = gates[p%2].Own(w.p, w.state)
			ws[p] = w
		}
		stop, end := make(chan struct{}), make(chan struct{})
		var busy, wg sync.WaitGroup
		for _, w := range ws {
			busy.Add(1)
			wg.Go(func() {
				w.work(t, gates, now, stop)
				busy.Done()
				w.idle(t, end) // others may still need what this partition knows
			})
		}
		rng := rand.New(rand.NewPCG(seed, 99))
		for range 12 {
			asked := gates[0].Stats().Asks + gates[1].Stats().Asks
			for gates[0].Stats().Asks+gates[1].Stats().Asks < asked+100 && !t.Failed() {
				await(t, gates[0])
			}
			switch rng.IntN(4) {
			case 0:
				at.empty()
			case 1:
				at.restart()
			case 2:
				at.down()
				at.empty()
				at.up()
			default:
				at.down()
				at.up()
			}
		}
		close(stop)
		busy.Wait()
		close(end)
		wg.Wait()
		checkChaos(t, ws)
	})
}

func checkChaos(t *testing.T, ws []*chaosWorker) {
	t.Helper()
	chains, shares := map[int64]int{}, map[[2]int64]int{}
	for _, w := range ws {
		for user := range w.mine {
			chains[user]++
		}
		for _, s := range w.state.shares {
			shares[[2]int64{s.User, s.EventTimeMS / hourMS}]++
		}
	}
	for user, n := range chains {
		if n != 1 {
			t.Errorf("user %d is in %d chains", user, n)
		}
	}
	for k, n := range shares {
		if n > 5 {
			t.Errorf("user %d shared %d times in hour %d", k[0], n, k[1])
		}
	}
	for _, w := range ws {
		if c := w.owner.gate.Stats().Conflicts; c != 0 {
			t.Errorf("%d conflicts were reported where Redis lost nothing that facts did not bring back", c)
		}
	}
	if len(chains) < chaosUsers/2 {
		t.Errorf("only %d users found a chain", len(chains))
	}
}
