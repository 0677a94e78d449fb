package fsm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// ward is what a worker does with coupons, as small as it can be: it follows the
// machine, tries again when due, redrives what is DEAD, and loses its lease at times.
type ward struct {
	t       *testing.T
	mu      sync.Mutex
	machine *Machine
	pool    *Pool
	issuer  *MemoryIssuer
	coupons []*wardCoupon
	leased  bool
	emptied bool
	startMS int64
}

type wardCoupon struct {
	request  Request
	state    pb.CouponState
	reason   schemas.Reason
	attempts int32
	dueMS    int64
	asked    bool // in the pool
}

// TestLifecycleUnderFaults takes coupons from PENDING to their end through an issuer
// that refuses, hangs, loses and delays answers, is restarted and emptied: whoever is
// COMPLETED is done at the issuer, and the other way round, within the stock.
func TestLifecycleUnderFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { lifecycle(t, seed) })
		})
	}
}

func lifecycle(t *testing.T, seed uint64) {
	const coupons, pieces = 300, 200
	rng := rand.New(rand.NewPCG(seed, 3))
	memory, err := NewMemoryIssuer(testPartitions)
	if err != nil {
		t.Fatal(err)
	}
	w := &ward{t: t, machine: NewMachine(), issuer: memory, leased: true, startMS: time.Now().UnixMilli()}
	campaign := &schemas.Campaign{ID: 1, Version: 1, Coupons: []schemas.CouponKind{{Name: []byte("five"), Stock: pieces}}}
	r := runPool(t, func(_ *scripted, c *PoolConfig) {
		c.Issuer = NewFaulty(memory, seed, Faults{Refused: 0.2, Hangs: 0.1, Lost: 0.15, Late: 0.1})
		c.Batch, c.Queue = 4, 32
		c.Ready = func(*Task) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.leased }
		c.Deliver = w.outcome
	})
	w.pool = r.pool
	for n := range uint64(coupons) {
		c := &wardCoupon{request: demoRequest(n)}
		for _, e := range []pb.CouponEvent{pb.CouponEvent_COUPON_EVENT_CREATE, pb.CouponEvent_COUPON_EVENT_VALIDATE, pb.CouponEvent_COUPON_EVENT_ALLOW} {
			w.move(c, e)
		}
		w.coupons = append(w.coupons, c)
	}
	w.rebuild(campaign)
	for turns := 0; !w.turn(); turns++ {
		if turns > 200_000 {
			t.Fatalf("seed %d: not at an end after %s", seed, time.Duration(turns)*100*time.Millisecond)
		}
		pass(100 * time.Millisecond)
		w.mishap(rng, campaign)
	}
	w.leased = true
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Fatal(err)
	}
	w.compare(seed, pieces)
}

// turn does what is due and says whether nothing is left to do.
func (w *ward) turn() (ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended = true
	for i, c := range w.coupons {
		switch c.state {
		case pb.CouponState_COUPON_STATE_RETRYING:
			if time.Now().UnixMilli() >= c.dueMS {
				w.move(c, pb.CouponEvent_COUPON_EVENT_DUE)
			}
		case pb.CouponState_COUPON_STATE_DEAD:
			next, err := Redrive(c.state, c.reason)
			if err != nil || next {
				w.t.Fatalf("redrive after %s: next round %t, %v", c.reason, next, err)
			}
			c.attempts = 0
			w.move(c, pb.CouponEvent_COUPON_EVENT_REDRIVE)
		}
		if c.state == pb.CouponState_COUPON_STATE_ISSUING && !c.asked {
			c.asked = w.pool.Submit(Task{Request: c.request, Attempts: c.attempts, Ticket: uint64(i)})
		}
		ended = ended && (c.state == pb.CouponState_COUPON_STATE_COMPLETED || c.state == pb.CouponState_COUPON_STATE_FAILED)
	}
	return ended
}

func (w *ward) outcome(o Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.coupons[o.Task.Ticket]
	c.asked = false
	if o.Result.Answer == NotSent {
		return
	}
	c.attempts++
	event := AfterAttempt(o.Result.Answer, c.attempts)
	if event == pb.CouponEvent_COUPON_EVENT_EXHAUST {
		c.reason = pb.Reason_REASON_EXHAUSTED
	}
	w.move(c, event)
	if c.state == pb.CouponState_COUPON_STATE_RETRYING {
		_, c.dueMS = RetryAfter(c.request.ID, c.request.Round, c.attempts, time.Now().UnixMilli())
	}
}

func (w *ward) move(c *wardCoupon, e pb.CouponEvent) {
	to, err := w.machine.Coupon(c.state, e)
	if err != nil {
		w.t.Error(err)
	}
	c.state = to
}

// mishap takes or gives back the lease, or restarts or empties the issuer.
func (w *ward) mishap(rng *rand.Rand, campaign *schemas.Campaign) {
	synctest.Wait()
	switch n := rng.IntN(400); {
	case n < 20:
		w.mu.Lock()
		w.leased = !w.leased
		w.mu.Unlock()
	case n == 20:
		w.issuer.Fail()
	case n == 21:
		w.issuer.Wipe()
		w.emptied = true
	case n < 60:
		w.rebuild(campaign)
	}
}

// rebuild says what the ward's coupons, its facts, know.
func (w *ward) rebuild(campaign *schemas.Campaign) {
	if err := w.issuer.Declare(w.t.Context(), campaign); err != nil {
		w.t.Fatal(err)
	}
	for partition := range int32(testPartitions) {
		if _, err := w.issuer.Rebuild(w.t.Context(), partition, func(yield func(Remembered) error) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, c := range w.coupons {
				if a := c.final(); a != NoAnswer {
					q := c.request
					if err := yield(Remembered{Key: q.Key(), Answer: a, Kind: q.Kind, ValueMinor: q.ValueMinor, Currency: q.Currency}); err != nil {
						return err
					}
				}
			}
			return nil
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (c *wardCoupon) final() Answer {
	switch c.state {
	case pb.CouponState_COUPON_STATE_COMPLETED:
		return Done
	case pb.CouponState_COUPON_STATE_FAILED:
		return OutOfStock
	default:
		return NoAnswer
	}
}

// compare holds the ward's end against the issuer's memory.
func (w *ward) compare(seed uint64, pieces int64) {
	completed := int64(0)
	for _, c := range w.coupons {
		var result [1]Result
		if err := w.issuer.Lookup(w.t.Context(), []Key{c.request.Key()}, result[:]); err != nil {
			w.t.Fatal(err)
		}
		known := result[0].Answer
		if known != c.final() && (known.Final() || !w.emptied) {
			w.t.Errorf("seed %d: coupon %x is %s, the issuer remembers %s", seed, c.request.ID, CouponStateName(c.state), known)
		}
		if c.state == pb.CouponState_COUPON_STATE_COMPLETED {
			completed++
		}
	}
	if completed > pieces || completed < pieces && !w.emptied {
		w.t.Errorf("seed %d: %d coupons COMPLETED of %d pieces (emptied: %t)", seed, completed, pieces, w.emptied)
	}
	w.t.Logf("seed %d: %d COMPLETED, emptied: %t, after %s, pool %+v", seed, completed, w.emptied,
		time.Duration(time.Now().UnixMilli()-w.startMS)*time.Millisecond, w.pool.Stats())
}
