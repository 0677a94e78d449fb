package admission

import (
	"context"
	"fmt"
	"time"
)

// State says in one word what the gate does.
type State uint8

// A gate is Starting until it knows the epoch, Rebuilding until every partition is marked in it,
// then Ready. It is Down while Redis gives no usable answer.
const (
	Starting State = iota
	Rebuilding
	Ready
	Down
)

// String is the state's name in logs and on health pages.
func (s State) String() string {
	return [...]string{"starting", "rebuilding", "ready", "down"}[s]
}

// Status is the gate's state for health pages.
type Status struct {
	State    State
	Since    time.Time
	Epoch    uint64  // number of the epoch, 0 when none is known
	Missing  []int32 // partitions that no owner has rebuilt in this epoch
	Sentence string  // for people: "redis down since ...", "waiting for partitions 3, 7 ..."
}

// Stats are counters since the gate was made.
type Stats struct {
	Trips         int64 // round trips that carried asks
	Asks          int64
	ClaimsYes     int64
	ClaimsNo      int64
	SharesYes     int64
	SharesNo      int64
	Failures      int64 // scripts that Redis did not answer
	Epochs        int64 // epochs seen by this gate
	RebuiltClaims int64
	RebuiltShares int64
	Conflicts     int64
	Released      int64 // claims and shares that Redis gave back
	Dropped       int64 // releases thrown away because too many were waiting
	Waiting       int64 // asks waiting now
}

// Status says what the gate is waiting for.
func (g *Gate) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{State: g.state, Since: g.since, Epoch: g.view.number, Missing: g.view.missing()}
	switch g.state {
	case Starting:
		s.Sentence = "no epoch is known yet"
	case Rebuilding:
		s.Sentence = fmt.Sprintf("nobody is admitted until partitions %v are rebuilt by their owners (epoch %d, since %s)",
			s.Missing, s.Epoch, s.Since.Format(time.RFC3339))
	case Ready:
		s.Sentence = "every partition is rebuilt"
	case Down:
		s.Sentence = fmt.Sprintf("redis down since %s: %v", s.Since.Format(time.RFC3339), g.reason())
	}
	return s
}

// Stats are the counters for metrics.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	for _, c := range g.queue {
		s.Waiting += int64(len(c.ops) - c.done)
	}
	return s
}

// trouble tells where trouble comes from: a Redis that answers looks may still refuse writes.
type trouble int

const (
	looking trouble = iota
	writing
	troubles
)

// failed notes that a script got no usable answer, unless that was its caller's wish.
func (g *Gate) failed(ctx context.Context, t trouble, err error) {
	if ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Failures++
	g.trouble[t] = err
	g.turnState()
}

// worked notes the contrary. The caller holds the lock.
func (g *Gate) worked(t trouble) {
	if g.trouble[t] != nil {
		g.trouble[t] = nil
		g.turnState()
	}
}

func (g *Gate) reason() error {
	for _, err := range g.trouble {
		if err != nil {
			return err
		}
	}
	return nil
}

// turnState finds the state anew and logs when it is another one. The caller holds the lock.
func (g *Gate) turnState() {
	s := Starting
	switch {
	case g.reason() != nil:
		s = Down
	case g.view.complete():
		s = Ready
	case g.view.known():
		s = Rebuilding
	}
	if s == g.state {
		return
	}
	log := g.cfg.Logger.Info
	if s == Down {
		log = g.cfg.Logger.Warn
	}
	log("admission: "+s.String(), "was", g.state.String(), "epoch", g.view.number,
		"missing", g.view.missing(), "error", g.reason())
	g.state, g.since = s, g.cfg.Now()
}
