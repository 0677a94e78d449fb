package fsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"hongbao/schemas"
)

const testPartitions = 2

// fullIssuer is what both implementations offer.
type fullIssuer interface {
	Issuer
	Stock
	Counts(ctx context.Context, campaign int64) (Counts, error)
	Each(ctx context.Context, campaign int64, fn func(Key, Answer) error) error
}

// place is an empty issuer and what can befall it.
type place struct {
	fullIssuer
	wipe    func()
	restart func() // nil where a restart that keeps the data cannot be told
}

// conform is the one suite for every implementation of Issuer and Stock.
func conform(t *testing.T, open func(t *testing.T) place) {
	t.Run("transcript", func(t *testing.T) { t.Parallel(); transcript(t, open(t), "issuer.txt") })
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		p := open(t)
		if p.restart == nil {
			t.Skip("a restart that keeps the data cannot be told here")
		}
		transcript(t, p, "issuer_restart.txt")
	})
	t.Run("properties", func(t *testing.T) { t.Parallel(); properties(t, open(t)) })
	t.Run("race for the last pieces", func(t *testing.T) { t.Parallel(); raceForStock(t, open(t)) })
	t.Run("wiped while rebuilding", func(t *testing.T) { t.Parallel(); wipedWhileRebuilding(t, open(t)) })
	t.Run("refusals", func(t *testing.T) { t.Parallel(); refusals(t, open(t)) })
	t.Run("large amounts", func(t *testing.T) { t.Parallel(); largeAmounts(t, open(t)) })
}

// TestMemoryIssuerConforms runs the suite on the issuer in memory.
func TestMemoryIssuerConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) place {
		m, err := NewMemoryIssuer(testPartitions)
		if err != nil {
			t.Fatal(err)
		}
		return place{fullIssuer: m, wipe: func() { m.Wipe() }, restart: m.Fail}
	})
}

// openAll rebuilds every partition of an issuer from nothing, as on a first start.
func (p place) openAll(t testing.TB) {
	t.Helper()
	for partition := range int32(testPartitions) {
		if _, err := p.Rebuild(t.Context(), partition, func(func(Remembered) error) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// raceForStock: many callers, overlapping keys, fewer pieces than coupons: exactly the
// pieces are issued, and everybody hears the same of one key (F3, F4).
func raceForStock(t *testing.T, p place) {
	const callers, coupons, pieces = 8, 200, 77
	p.openAll(t)
	c := &schemas.Campaign{ID: 1, Version: 1, Coupons: []schemas.CouponKind{{Name: []byte("five"), Stock: pieces}}}
	heard := make([][]Result, callers)
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(caller), 1))
			if err := p.Declare(t.Context(), c); err != nil {
				t.Error(err)
			}
			heard[caller] = make([]Result, coupons)
			order := rng.Perm(coupons)
			for len(order) > 0 {
				n := min(len(order), 1+rng.IntN(20))
				requests, results := make([]Request, n), make([]Result, n)
				for i, coupon := range order[:n] {
					requests[i] = Request{ID: testID(uint64(coupon)), Campaign: 1, Kind: "five", ValueMinor: 5, Currency: "CNY"}
				}
				if err := p.Issue(t.Context(), requests, results); err != nil {
					t.Error(err)
				}
				for i, coupon := range order[:n] {
					heard[caller][coupon] = results[i]
				}
				order = order[n:]
			}
		})
	}
	wg.Wait()
	done := 0
	for coupon := range coupons {
		if heard[0][coupon].Answer == Done {
			done++
		}
		for caller := range callers {
			if heard[caller][coupon] != heard[0][coupon] {
				t.Errorf("coupon %d: caller 0 heard %v, caller %d heard %v", coupon, heard[0][coupon], caller, heard[caller][coupon])
			}
		}
	}
	if done != pieces {
		t.Errorf("%d coupons done of %d pieces", done, pieces)
	}
}

// wipedWhileRebuilding: a rebuilding that began in another life counts for nothing (F5).
func wipedWhileRebuilding(t *testing.T, p place) {
	done := Remembered{Key: Key{Campaign: 1, ID: testID(1)}, Answer: Done, Kind: "five", Currency: "CNY"}
	for name, each := range map[string]func(yield func(Remembered) error) error{
		"at the end":  func(func(Remembered) error) error { p.wipe(); return nil },
		"in a batch":  func(yield func(Remembered) error) error { p.wipe(); return yield(done) },
		"and renewed": func(yield func(Remembered) error) error { p.wipe(); p.openAll(t); p.wipe(); return yield(done) },
	} {
		if _, err := p.Rebuild(t.Context(), 0, each); !errors.Is(err, ErrNotRebuilt) {
			t.Errorf("wiped %s: %v, want ErrNotRebuilt", name, err)
		}
		if missing, err := p.Missing(t.Context()); err != nil || len(missing) != testPartitions {
			t.Errorf("wiped %s: partitions %v missing, %v; want both", name, missing, err)
		}
		p.wipe()
	}
	failed := errors.New("state cannot be read")
	if _, err := p.Rebuild(t.Context(), 0, func(func(Remembered) error) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("each failed: %v, want its error", err)
	}
	if missing, err := p.Missing(t.Context()); err != nil || len(missing) != testPartitions {
		t.Errorf("each failed: partitions %v missing, %v; want both", missing, err)
	}
}

// refusals: what no caller should ask for is refused in a sentence and changes nothing.
func refusals(t *testing.T, p place) {
	ctx := t.Context()
	kind := func(stock int64) []schemas.CouponKind {
		return []schemas.CouponKind{{Name: []byte("five"), Stock: stock}}
	}
	nothing := func(func(Remembered) error) error { return nil }
	one := func(m Remembered) func(func(Remembered) error) error {
		return func(yield func(Remembered) error) error { return yield(m) }
	}
	rebuild := func(partition int32, each func(func(Remembered) error) error) error {
		_, err := p.Rebuild(ctx, partition, each)
		return err
	}
	for name, err := range map[string]error{
		"no version":        p.Declare(ctx, &schemas.Campaign{ID: 1, Coupons: kind(1)}),
		"no campaign":       p.Declare(ctx, &schemas.Campaign{Version: 1, Coupons: kind(1)}),
		"negative stock":    p.Declare(ctx, &schemas.Campaign{ID: 1, Version: 1, Coupons: kind(-1)}),
		"inexact stock":     p.Declare(ctx, &schemas.Campaign{ID: 1, Version: 1, Coupons: kind(1 << 53)}),
		"negative budget":   p.Declare(ctx, &schemas.Campaign{ID: 1, Version: 1, Budget: []schemas.Budget{{Currency: []byte("CNY"), Minor: -1}}}),
		"top-up unnumbered": p.TopUp(ctx, TopUp{Campaign: 1, Kind: "five", Pieces: 1}),
		"top-up lowers":     p.TopUp(ctx, TopUp{Campaign: 1, Number: 1, Kind: "five", Pieces: -1}),
		"top-up of nothing": p.TopUp(ctx, TopUp{Campaign: 1, Number: 1, Pieces: 1}),
		"budget of nothing": p.TopUp(ctx, TopUp{Campaign: 1, Number: 1, BudgetMinor: 1}),
		"partition 2 of 2":  rebuild(2, nothing),
		"partition -1":      rebuild(-1, nothing),
		"unknown restored":  rebuild(0, one(Remembered{Key: Key{Campaign: 1}, Answer: Unknown})),
		"negative restored": rebuild(0, one(Remembered{Key: Key{Campaign: 1}, Answer: Done, Kind: "five", ValueMinor: -1})),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if counts, err := p.Counts(ctx, 1); err != nil || counts.Version != 0 || len(counts.Kinds)+len(counts.Budgets) != 0 {
		t.Errorf("after refusals: %+v, %v; want nothing declared", counts, err)
	}
	if err := p.Issue(ctx, nil, nil); err != nil && !errors.Is(err, ErrNotRebuilt) {
		t.Errorf("an empty batch: %v", err)
	}
}

// largeAmounts: integers above 2^53 are inexact in Lua, so they are never reached.
func largeAmounts(t *testing.T, p place) {
	ctx := t.Context()
	p.openAll(t)
	c := &schemas.Campaign{ID: 1, Version: 1, Coupons: []schemas.CouponKind{{Name: []byte("huge"), Stock: schemas.MaxCount - 1}}}
	if err := p.Declare(ctx, c); err != nil {
		t.Fatal(err)
	}
	requests := []Request{
		{ID: testID(1), Campaign: 1, Kind: "huge", ValueMinor: schemas.MaxCount - 1, Currency: "CNY"},
		{ID: testID(2), Campaign: 1, Kind: "huge", ValueMinor: 1, Currency: "CNY"},
		{ID: testID(3), Campaign: 1, Kind: "huge", ValueMinor: 1, Currency: "CNY"},
		{ID: testID(4), Campaign: 1, Kind: "huge", ValueMinor: 0, Currency: "CNY"},
		{ID: testID(5), Campaign: 1, Kind: "huge", ValueMinor: -1, Currency: "CNY"},
	}
	results := make([]Result, len(requests))
	if err := p.Issue(ctx, requests, results); err != nil {
		t.Fatal(err)
	}
	for i, want := range []Answer{Done, Done, Refused, Done, Refused} {
		if results[i].Answer != want {
			t.Errorf("coupon of %d minor units: %s, want %s", requests[i].ValueMinor, results[i].Answer, want)
		}
	}
	if err := p.TopUp(ctx, TopUp{Campaign: 1, Number: 1, Kind: "huge", Pieces: schemas.MaxCount}); err != nil {
		t.Error(err)
	}
	if err := p.TopUp(ctx, TopUp{Campaign: 1, Number: 2, Kind: "huge", Pieces: 1}); !errors.Is(err, errTooMuch) {
		t.Errorf("a top-up beyond 2^53-1: %v, want errTooMuch", err)
	}
	counts, err := p.Counts(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := counts.Budgets[0].Spent; got != schemas.MaxCount {
		t.Errorf("spent %d, want %d", got, int64(schemas.MaxCount))
	}
	if got := counts.Kinds[0]; got.Done != 3 || got.Declared != 2*schemas.MaxCount-1 {
		t.Errorf("stock %+v, want 3 done of 2^54-3", got)
	}
}
