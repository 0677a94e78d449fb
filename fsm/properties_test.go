package fsm

import (
	"cmp"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"hongbao/schemas"
)

// book is what a test writes down beside an issuer: the facts that a wipe cannot
// take. It knows sums and first answers, not the issuer's way to them.
type book struct {
	t        *testing.T
	p        place
	rng      *rand.Rand
	version  int64
	stock    map[string]int64 // declared by the version
	added    map[string]int64 // by top-ups
	budget   int64            // -1: none declared
	addedMin int64
	topUps   []TopUp
	answers  map[Key]Answer
	asked    map[Key]Request
	done     map[string]int64
	spent    int64
}

var propertyKinds = []string{"five", "ten", "gift"}

// properties plays random declarations, top-ups, requests, look-ups, wipes and
// rebuildings, and holds every answer against the book (F3, F4, F5).
func properties(t *testing.T, p place) {
	for _, seed := range []uint64{1, 2, 3} {
		p.wipe()
		b := &book{
			t: t, p: p, rng: rand.New(rand.NewPCG(seed, 7)), budget: -1,
			stock: make(map[string]int64), added: make(map[string]int64),
			answers: make(map[Key]Answer), asked: make(map[Key]Request), done: make(map[string]int64),
		}
		p.openAll(t)
		for step := range 160 {
			switch n := b.rng.IntN(100); {
			case n < 60:
				b.issue()
			case n < 75:
				b.lookup()
			case n < 83:
				b.declare()
			case n < 93:
				b.topUp()
			default:
				b.wipeAndRebuild()
			}
			b.checkCounts()
			if step%80 == 79 {
				b.checkAnswers() // reads 2^14 hashes in Redis
			}
			if t.Failed() {
				t.Fatalf("seed %d: first wrong after step %d", seed, step)
			}
		}
		if len(b.answers) < 100 || b.spent == 0 {
			t.Errorf("seed %d: only %d answers and %d spent; the test tests nothing", seed, len(b.answers), b.spent)
		}
	}
}

func (b *book) request() Request {
	q := Request{
		ID: testID(uint64(b.rng.IntN(150))), Round: int32(b.rng.IntN(3)), Campaign: 1, Beneficiary: 1,
		Kind: propertyKinds[b.rng.IntN(3)], ValueMinor: int64(b.rng.IntN(50)), Currency: "CNY",
	}
	if old, ok := b.asked[q.Key()]; ok {
		return old // one key always asks for the same
	}
	b.asked[q.Key()] = q
	return q
}

func (b *book) issue() {
	requests := make([]Request, 1+b.rng.IntN(12))
	for i := range requests {
		requests[i] = b.request()
	}
	results := make([]Result, len(requests))
	if err := b.p.Issue(b.t.Context(), requests, results); err != nil {
		b.t.Fatal(err)
	}
	for i, q := range requests {
		b.heard(&q, results[i].Answer)
	}
}

// heard holds one answer against the book: remembered ones never change, and a new
// one is right by the sums.
func (b *book) heard(q *Request, got Answer) {
	want, known := b.answers[q.Key()]
	if !known {
		want = b.expected(q)
	}
	if got != want {
		b.t.Errorf("%+v: %s, want %s (remembered: %t)", *q, got, want, known)
	}
	if known || !got.Final() {
		return
	}
	b.answers[q.Key()] = got
	if got == Done {
		b.done[q.Kind]++
		b.spent += q.ValueMinor
	}
}

func (b *book) expected(q *Request) Answer {
	stock, declared := b.stock[q.Kind]
	switch {
	case b.version == 0:
		return Transient
	case !declared:
		return Refused
	case b.done[q.Kind] >= stock+b.added[q.Kind]:
		return OutOfStock
	case b.budget >= 0 && b.spent+q.ValueMinor > b.budget+b.addedMin:
		return OutOfBudget
	}
	return Done
}

func (b *book) lookup() {
	q := b.request()
	var result [1]Result
	if err := b.p.Lookup(b.t.Context(), []Key{q.Key()}, result[:]); err != nil {
		b.t.Fatal(err)
	}
	want, known := b.answers[q.Key()]
	if !known {
		want = Absent
	}
	if result[0].Answer != want {
		b.t.Errorf("lookup of %+v: %s, want %s", q.Key(), result[0].Answer, want)
	}
}

// declare brings the next version, or an older one, or the same again with other
// numbers, which must not count.
func (b *book) declare() {
	c := &schemas.Campaign{ID: 1, Version: max(1, b.version+int64(b.rng.IntN(4))-2)}
	kinds := propertyKinds[:1+b.rng.IntN(3)]
	for _, kind := range kinds {
		c.Coupons = append(c.Coupons, schemas.CouponKind{Name: []byte(kind), Stock: int64(b.rng.IntN(60))})
	}
	limited := b.rng.IntN(2) == 0
	if limited {
		c.Budget = []schemas.Budget{{Currency: []byte("CNY"), Minor: int64(b.rng.IntN(3000))}}
	}
	if err := b.p.Declare(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
	if c.Version <= b.version {
		return
	}
	b.version, b.budget = c.Version, -1
	clear(b.stock)
	for i := range c.Coupons {
		b.stock[string(c.Coupons[i].Name)] = c.Coupons[i].Stock
	}
	if limited {
		b.budget = c.Budget[0].Minor
	}
}

func (b *book) topUp() {
	if n := len(b.topUps); n > 0 && b.rng.IntN(2) == 0 {
		again := b.topUps[b.rng.IntN(n)]
		again.Pieces += 1000 // a number counts once, whatever comes under it later
		if again.Kind == "" {
			again.Kind = "five"
		}
		if err := b.p.TopUp(b.t.Context(), again); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	u := TopUp{Campaign: 1, Number: int64(len(b.topUps) + 1)}
	if b.rng.IntN(2) == 0 {
		u.Kind, u.Pieces = propertyKinds[b.rng.IntN(3)], int64(1+b.rng.IntN(10))
	} else {
		u.Currency, u.BudgetMinor = "CNY", int64(1+b.rng.IntN(200))
	}
	if err := b.p.TopUp(b.t.Context(), u); err != nil {
		b.t.Fatal(err)
	}
	b.topUps = append(b.topUps, u)
	if u.Kind != "" {
		b.added[u.Kind] += u.Pieces
	}
	b.addedMin += u.BudgetMinor
}

// wipeAndRebuild empties the issuer, or only begins another life of it, and restores
// it from the book; until the last partition is back nobody is issued anything.
func (b *book) wipeAndRebuild() {
	if b.p.restart != nil && b.rng.IntN(2) == 0 {
		b.p.restart()
	} else {
		b.p.wipe()
		b.redeclare()
	}
	for partition := range int32(testPartitions) {
		b.isShut()
		if _, err := b.p.Rebuild(b.t.Context(), partition, func(yield func(Remembered) error) error {
			for _, k := range sortedKeys(b.answers) {
				if q := b.asked[k]; int32(k.ID[0])%testPartitions == partition {
					m := Remembered{Key: k, Answer: b.answers[k], Kind: q.Kind, ValueMinor: q.ValueMinor, Currency: q.Currency}
					if err := yield(m); err != nil {
						return err
					}
				}
			}
			return nil
		}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// redeclare says what the facts say: the active version and every top-up.
func (b *book) redeclare() {
	if b.version > 0 {
		c := &schemas.Campaign{ID: 1, Version: b.version}
		for _, kind := range propertyKinds {
			if stock, ok := b.stock[kind]; ok {
				c.Coupons = append(c.Coupons, schemas.CouponKind{Name: []byte(kind), Stock: stock})
			}
		}
		if b.budget >= 0 {
			c.Budget = []schemas.Budget{{Currency: []byte("CNY"), Minor: b.budget}}
		}
		if err := b.p.Declare(b.t.Context(), c); err != nil {
			b.t.Fatal(err)
		}
	}
	for _, u := range b.topUps {
		if err := b.p.TopUp(b.t.Context(), u); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *book) isShut() {
	q := b.request()
	var result [1]Result
	if err := b.p.Issue(b.t.Context(), []Request{q}, result[:]); err == nil {
		b.t.Errorf("%+v: %s although a partition has not restored its answers", q, result[0].Answer)
	}
}

// checkCounts compares the issuer's sums with the book's.
func (b *book) checkCounts() {
	c, err := b.p.Counts(b.t.Context(), 1)
	if err != nil {
		b.t.Fatal(err)
	}
	if c.Version != b.version {
		b.t.Errorf("version %d, want %d", c.Version, b.version)
	}
	for _, k := range c.Kinds {
		want := KindCount{Kind: k.Kind, Declared: b.stock[k.Kind] + b.added[k.Kind], Done: b.done[k.Kind]}
		want.Left = want.Declared - want.Done
		if k != want {
			b.t.Errorf("stock %+v, want %+v", k, want)
		}
	}
	for _, m := range c.Budgets {
		want := BudgetCount{Currency: "CNY", Limited: b.budget >= 0, Declared: max(0, b.budget) + b.addedMin, Spent: b.spent}
		if want.Limited {
			want.Left = want.Declared - want.Spent
		}
		if m != want {
			b.t.Errorf("budget %+v, want %+v", m, want)
		}
	}
}

// checkAnswers compares what the issuer remembers with what was heard.
func (b *book) checkAnswers() {
	seen := make(map[Key]Answer)
	if err := b.p.Each(b.t.Context(), 1, func(k Key, a Answer) error { seen[k] = a; return nil }); err != nil {
		b.t.Fatal(err)
	}
	if len(seen) != len(b.answers) {
		b.t.Errorf("%d answers remembered, want %d", len(seen), len(b.answers))
	}
	for _, k := range sortedKeys(b.answers) {
		if seen[k] != b.answers[k] {
			b.t.Errorf("%x round %d: remembered %s, want %s", k.ID, k.Round, seen[k], b.answers[k])
		}
	}
}

// sortedKeys orders what Each gave, for messages that read the same in every run.
func sortedKeys(m map[Key]Answer) []Key {
	keys := make([]Key, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(hex.EncodeToString(a.ID[:]), hex.EncodeToString(b.ID[:])), cmp.Compare(a.Round, b.Round))
	})
	return keys
}
