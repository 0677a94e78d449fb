//go:build synctests

package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"hongbao/fsm"
)

// issuer is the world outside, shared by all processes: the model of the conformance suite, and a book of who asked what when.
type issuer struct {
	s     *sim
	inner *fsm.MemoryIssuer
	mu    sync.Mutex
	rng   *rand.Rand
	bad   bool
	rate  float64
	asked []asking
	never map[fsm.Key]bool // refused for good
	began time.Time
	later map[fsm.Key]bool // postponed for good
	again bool             // it has begun again, and nobody knows
}

// asking is one request that the issuer heard.
type asking struct {
	key       fsm.Key
	who       string
	committed [partitions]int64 // seqs that Kafka had said are committed when the call was made
}

func newIssuer(s *sim) *issuer {
	inner, err := fsm.NewMemoryIssuer(partitions)
	s.must(err)
	return &issuer{s: s, inner: inner, rng: rand.New(rand.NewPCG(s.seed, 3)), never: map[fsm.Key]bool{}, began: time.Now(), later: map[fsm.Key]bool{}}
}

// trouble makes calls fail, from now on.
func (i *issuer) trouble(on bool, n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.bad, i.rate = on, 0.3+float64(n)/2000
}

// restart begins another life of the model, which counts when a process is told so; it is told nothing new where no partition had spoken to it.
func (i *issuer) restart() {
	missing, err := i.inner.Missing(i.s.ctx)
	i.inner.Fail()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.again = i.again || err == nil && len(missing) < partitions
}

// restarted notes that a process has been told.
func (i *issuer) restarted() {
	i.mu.Lock()
	again := i.again
	i.again = false
	i.mu.Unlock()
	if again {
		i.s.hit("issuer restart")
	}
}

// forget loses what this wrapper remembers, as the model inside loses the rest.
func (i *issuer) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.never = map[fsm.Key]bool{}
}

// of is the issuer as one life of a process reaches it.
func (i *issuer) of(l *life) *issuerPort { return &issuerPort{MemoryIssuer: i.inner, all: i, life: l} }

type issuerPort struct {
	*fsm.MemoryIssuer
	all  *issuer
	life *life
}

// Missing is part of fsm.Stock.
func (p *issuerPort) Missing(ctx context.Context) ([]int32, error) {
	missing, err := p.MemoryIssuer.Missing(ctx)
	if len(missing) > 0 && !p.life.dead.Load() {
		p.all.restarted()
	}
	return missing, err
}

// refuses says that the issuer will not have this coupon in its first round.
func refuses(k fsm.Key) bool { return k.ID[0]%32 == 7 && k.Round == 0 }

// postponing is how long the issuer finds coupons that it will never have time for: four attempts take half a minute.
const postponing = 4 * time.Second

// postpones says that a coupon is one of those, so that it is given up (EXHAUSTED). In few seeds, since it is long.
func (i *issuer) postpones(k fsm.Key) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.s.seed%10 == 3 && k.ID[0]%8 == 1 && time.Since(i.began) < postponing {
		i.later[k] = true
	}
	return i.later[k]
}

// Issue is part of fsm.Issuer.
func (p *issuerPort) Issue(ctx context.Context, requests []fsm.Request, results []fsm.Result) error {
	committed := p.all.s.watch.seqs()
	return p.call(ctx, results, "issue", func() error {
		p.all.note(p.life.of.name, requests, committed)
		var rest []fsm.Request
		var at []int
		for i := range requests {
			if k := requests[i].Key(); refuses(k) {
				p.all.refuse(k)
				results[i] = fsm.Result{Answer: fsm.Refused, Detail: "not this one"}
				continue
			}
			if p.all.postpones(requests[i].Key()) {
				results[i] = fsm.Result{Answer: fsm.Transient, Detail: "not now"}
				continue
			}
			rest, at = append(rest, requests[i]), append(at, i)
		}
		out := make([]fsm.Result, len(rest))
		err := p.MemoryIssuer.Issue(ctx, rest, out)
		for i := range out {
			results[at[i]] = out[i]
		}
		if err != nil {
			for i := range results {
				results[i] = fsm.Result{Answer: fsm.Transient, Detail: err.Error()}
			}
		}
		return err
	})
}

// Lookup is part of fsm.Issuer.
func (p *issuerPort) Lookup(ctx context.Context, keys []fsm.Key, results []fsm.Result) error {
	return p.call(ctx, results, "lookup", func() error {
		err := p.MemoryIssuer.Lookup(ctx, keys, results)
		p.all.mu.Lock()
		defer p.all.mu.Unlock()
		for i := range keys {
			if err == nil && p.all.never[keys[i]] {
				results[i] = fsm.Result{Answer: fsm.Refused}
			}
		}
		return err
	})
}

func (i *issuer) refuse(k fsm.Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.never[k] = true
}

func (i *issuer) note(who string, requests []fsm.Request, committed [partitions]int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for k := range requests {
		i.asked = append(i.asked, asking{key: requests[k].Key(), who: who, committed: committed})
	}
}

// call lets one call meet its fate. A dead process hears no answer.
func (p *issuerPort) call(ctx context.Context, results []fsm.Result, name string, inner func() error) error {
	if p.life.dead.Load() {
		return hang(ctx, results)
	}
	switch fate, d := p.all.draw(); fate {
	case "refused":
		p.all.s.hit("issuer error, " + name)
		fill(results, fsm.Transient)
		return fsm.ErrFault
	case "hangs":
		err := hang(ctx, results)
		if errors.Is(err, context.DeadlineExceeded) && !p.life.dead.Load() {
			p.all.s.hit("issuer time-out, " + name)
		}
		return err
	case "lost":
		if err := inner(); err != nil {
			return err
		}
		p.all.s.hit("issuer answer lost, " + name)
		fill(results, fsm.Unknown)
		return fsm.ErrFault
	case "late":
		if err := inner(); err != nil {
			return err
		}
		p.all.s.hit("issuer answer late, " + name)
		return hang(ctx, results)
	case "slow":
		if d > 0 {
			p.all.s.hit("issuer slow, " + name)
		}
		time.Sleep(d)
	}
	return inner()
}

func (i *issuer) draw() (string, time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.bad || i.rng.Float64() > i.rate {
		return "", 0
	}
	return []string{"refused", "hangs", "lost", "late", "slow"}[i.rng.IntN(5)], time.Duration(i.rng.IntN(4500)) * time.Millisecond
}

func hang(ctx context.Context, results []fsm.Result) error {
	<-ctx.Done()
	fill(results, fsm.Unknown)
	return ctx.Err()
}

func fill(results []fsm.Result, a fsm.Answer) {
	for i := range results {
		results[i] = fsm.Result{Answer: a, Detail: "a fault"}
	}
}
