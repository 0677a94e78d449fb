package admission

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const mine = "7 00000000000000aa me/0 1101"
	for _, c := range []struct {
		name    string
		s       sight
		highest uint64
		begin   bool
		err     string
	}{
		{"never started or emptied", sight{"", "me/0"}, 0, true, ""},
		{"as it should be", sight{mine, "me/0"}, 7, false, ""},
		{"a later epoch of others", sight{mine, "me/0"}, 3, false, ""},
		{"the key survived a failover", sight{mine, "you/0"}, 7, true, ""},
		{"promoted again after a demotion", sight{mine, "me/8d1f"}, 7, true, ""},
		{"an epoch of the past", sight{mine, "me/0"}, 8, true, ""},
		{"another partition count", sight{"7 00000000000000aa me/0 11011101", "me/0"}, 7, false, "8 partitions, this process 4"},
		{"not ours", sight{"hello", "me/0"}, 7, false, `"hello": that is no epoch`},
		{"marks of another kind", sight{"7 00000000000000aa me/0 11x1", "me/0"}, 7, false, "that is no epoch"},
		{"no number", sight{"x 00000000000000aa me/0 1111", "me/0"}, 7, false, "that is no epoch"},
	} {
		_, begin, err := judge(c.s, c.highest, 4)
		if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) || begin != c.begin {
			t.Errorf("%s: begin %v, error %v", c.name, begin, err)
		}
	}
	e, err := parseEpoch(mine)
	if err != nil || e.complete() || e.with("0010").raw != "7 00000000000000aa me/0 1111" || e.id() != mine[:len(mine)-4] {
		t.Errorf("%+v %v", e, err)
	}
}

// X10: nobody is admitted before every partition's owner has written its claims, whoever owns it
// and however idle it is.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		log := newLines()
		g := newGate(t, at, withLog(log))
		os := []*Owner{g.Own(0, &state{}), g.Own(1, &state{}), g.Own(3, &state{})}
		ready(t, os)
		first := make(chan error, 1)
		as := make([]Answer, 1)
		go func() { first <- os[0].Admit(timeout(t), []Ask{join(1, 10, 1)}, as) }()
		log.await(t, "admission: rebuilding")
		for g.Stats().Waiting == 0 && g.Stats().Asks == 0 {
			await(t, g)
		}
		if s := g.Status(); s.State != Rebuilding || len(s.Missing) != 1 || s.Missing[0] != 2 || !strings.Contains(s.Sentence, "[2]") {
			t.Errorf("waiting for a partition that nobody owns: %+v", s)
		}
		select {
		case err := <-first:
			t.Fatalf("admitted before partition 2 was rebuilt: %+v %v", as, err)
		default:
		}
		// Its owner is another process, and busy: Admit rebuilds by itself.
		other := newGate(t, at, nil).Own(2, &state{claims: []Claim{{Campaign: 1, User: 1, Chain: 20, Offset: 5, Event: event(5)}}})
		want(t, admit(t, other, join(2, 20, 6)), "y-")
		if err := <-first; err != nil || as[0].Claim != No || as[0].Holder.Chain != 20 {
			t.Errorf("got %+v %v, want the fact of partition 2", as, err)
		}
		log.await(t, "admission: ready")
	})
}

func withLog(l *lines) func(*Config) { return func(c *Config) { c.Logger = newLogger(l) } }

// await returns when the gate's view changed, or after a moment.
func await(t *testing.T, g *Gate) {
	g.mu.Lock()
	changed := g.changed
	g.mu.Unlock()
	select {
	case <-changed:
	case <-time.After(time.Millisecond):
	case <-timeout(t).Done():
		t.Fatal("nothing happened")
	}
}

// A partition that moves within an epoch brings nothing to write.
func TestMove(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		os := ownAll(newGate(t, at, nil))
		ready(t, os)
		want(t, admit(t, os[2], join(1, 10, 1)), "y-")
		os[2].Close()
		src := &state{}
		moved := newGate(t, at, nil).Own(2, src)
		want(t, admit(t, moved, join(1, 10, 1), join(2, 10, 2)), "y- y-")
		if r, err := moved.Rebuild(timeout(t)); err != nil || r.Epoch != 0 || src.walks != 0 {
			t.Errorf("a moved partition was rebuilt: %+v %v, %d walks", r, err, src.walks)
		}
	})
}

// A Redis that lost everything, the process being the same or not, admits nobody until the facts
// are back; then the facts hold.
func TestEmptied(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(site){"flushed": site.empty, "restarted": site.restart} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, at site) {
				src := []Source{&state{}, &state{}, &state{}, &state{}}
				g := newGate(t, at, nil)
				os := ownAll(g, src...)
				ready(t, os)
				want(t, admit(t, os[0], join(1, 10, 1), join(2, 10, 2)), "y- y-")
				now := time.Now().UnixMilli()
				// The first became a fact, whose event state no longer knows; the second was only answered.
				src[0].(*state).claims = []Claim{{Campaign: 1, User: 1, Chain: 10}}
				src[3].(*state).shares = []Share{
					{User: 9, EventTimeMS: now, Event: event(1)},
					{User: 9, EventTimeMS: now, Event: event(2)},
					{User: 9, EventTimeMS: now - 26*hourMS, Event: event(3)},
				}
				epoch := g.Status().Epoch
				lose(at)
				done := make(chan string, 1)
				go func() { done <- admit(t, os[1], join(1, 11, 3), join(3, 11, 4)) }()
				for p, wanted := range map[int]Rebuilt{0: {Claims: 1}, 2: {}, 3: {Shares: 2}} {
					if r := rebuild(t, os[p]); r.Claims != wanted.Claims || r.Shares != wanted.Shares || r.Conflicts != 0 || r.Epoch <= epoch {
						t.Errorf("partition %d: %+v after epoch %d", p, r, epoch)
					}
				}
				want(t, <-done, "n- y-")
				want(t, admit(t, os[0], join(2, 10, 2)), "y-")
				// State went back before the fact and judges an event of the chain anew.
				want(t, admit(t, os[0], join(1, 10, 1), join(1, 10, 7)), "y- n-")
				var shares []Ask
				for n := range int64(5) {
					shares = append(shares, atTime(link(9, n+1), now))
				}
				want(t, admit(t, os[2], shares...), "-y -y -y -y -y")
				want(t, admit(t, os[2], atTime(link(9, 6), now)), "-n")
			})
		})
	}
}

// A failover lost a claim that became a fact, and the epoch key with its marks survived.
func TestFailover(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		src := []Source{&state{}, &state{}, &state{}, &state{}}
		log := newLines()
		g := newGate(t, at, withLog(log))
		os := ownAll(g, src...)
		ready(t, os)
		// User 3 is claimed by an event of chain 11 that became no fact.
		want(t, admit(t, os[1], join(3, 11, 3)), "y-")
		at.keep()
		want(t, admit(t, os[0], join(1, 10, 1), join(2, 10, 2)), "y- y-")
		if !at.failover() {
			t.Skip("this site does not say who it is")
		}
		src[0].(*state).claims = facts(10, 1, 2, 3)
		// What cannot be without a Redis that lost writes: user 2 is a fact of two chains.
		src[2].(*state).claims = []Claim{{Campaign: 1, User: 2, Chain: 12, Offset: 9, Event: event(9)}}
		done := make(chan string, 1)
		go func() { done <- admit(t, os[1], join(1, 11, 5), join(3, 11, 3)) }()
		if r := rebuild(t, os[0]); r.Claims != 3 || r.Conflicts != 0 {
			t.Errorf("a leftover that is no fact was reported: %+v", r)
		}
		r := rebuild(t, os[2])
		wanted := Conflict{Campaign: 1, User: 2, Chain: 12, Other: Holder{Chain: 10, Partition: 0, Offset: 2, Event: stored(2)}}
		if r.Conflicts != 1 || len(r.First) != 1 || r.First[0] != wanted || g.Stats().Conflicts != 1 {
			t.Errorf("a user in two chains: %+v", r)
		}
		log.await(t, "admission: facts put a user into two chains: Redis lost an acknowledged claim (X10)")
		rebuild(t, os[3])
		want(t, <-done, "n- n-")
	})
}

// A gate never goes back to an epoch below one that it has seen.
func TestNoWayBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		g := newGate(t, at, nil)
		os := ownAll(g)
		ready(t, os)
		at.keep()
		if !at.failover() {
			t.Skip("this site does not say who it is")
		}
		ready(t, os)
		at.empty()
		// A process that knows no better begins at 1 again, with everything.
		fresh := newGate(t, at, nil)
		others := ownAll(fresh)
		ready(t, others[:1])
		ready(t, os)
		if s := g.Status(); s.Epoch != 3 {
			t.Errorf("the epoch after 2 is %d", s.Epoch)
		}
	})
}

// An owner who was admitted in another epoch rebuilds, also where somebody marked its partition:
// what it was answered there may be unknown here.
func TestLateRebuild(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		src := &state{}
		g := newGate(t, at, nil)
		os := ownAll(g, src)
		ready(t, os)
		want(t, admit(t, os[0], join(1, 10, 1)), "y-")
		src.claims = facts(10, 1)
		at.empty()
		// The others, and one who believes that it owns partition 0, complete the next epoch.
		zombie := newGate(t, at, nil)
		others := ownAll(zombie)
		want(t, admitAll(t, others, func(p int64) Ask { return join(1+p, 20+p, 1) }), "y- y- y- y-")
		if r := rebuild(t, os[0]); r.Conflicts != 1 || r.First[0].Other.Chain != 20 {
			t.Errorf("the late owner: %+v", r)
		}
		want(t, admit(t, os[0], join(1, 10, 9)), "n-")
	})
}

// admitAll asks one ask of each owner, all at once.
func admitAll(t *testing.T, os []*Owner, ask func(p int64) Ask) string {
	t.Helper()
	ch := make([]chan string, len(os))
	for p, o := range os {
		ch[p] = make(chan string, 1)
		go func() { ch[p] <- admit(t, o, ask(int64(p))) }()
	}
	s := ""
	for _, c := range ch {
		s += " " + <-c
	}
	return s[1:]
}

// A source that fails ends the call that needed it.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		broken := errors.New("broken")
		o := newGate(t, at, nil).Own(0, &state{err: broken})
		if err := o.Admit(timeout(t), []Ask{join(1, 10, 1)}, make([]Answer, 1)); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		if _, err := o.Rebuild(timeout(t)); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := o.Rebuild(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A deadline that ends a rebuild is not Redis's fault.
func TestDeadlineInRebuild(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		g := newGate(t, at, nil)
		ctx, cancel := context.WithCancel(context.Background())
		src := &state{claims: make([]Claim, 3*pageMax)}
		for i := range src.claims {
			src.claims[i] = Claim{Campaign: 1, User: int64(i + 1), Chain: 10}
		}
		o := g.Own(0, stopping{src, cancel})
		<-o.Wanted()
		if _, err := o.Rebuild(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if s := g.Status(); s.State != Rebuilding || g.Stats().Failures != 0 {
			t.Errorf("%+v, %d failures", s, g.Stats().Failures)
		}
	})
}

// stopping cancels in the middle of the walk.
type stopping struct {
	*state
	cancel context.CancelFunc
}

func (s stopping) Claims(yield func(Claim) error) error {
	return s.state.Claims(func(c Claim) error {
		if c.User == pageMax+7 {
			s.cancel()
		}
		return yield(c)
	})
}

// facts are claims of users by the events of their number.
func facts(chain int64, users ...int64) []Claim {
	var cs []Claim
	for _, u := range users {
		cs = append(cs, Claim{Campaign: 1, User: u, Chain: chain, Offset: u, Event: event(u)})
	}
	return cs
}
