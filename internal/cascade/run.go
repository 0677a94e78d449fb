package cascade

import (
	"fmt"
	"math"

	"hongbao/schemas"
)

// run is one pass over a synthetic stream.
type run struct {
	cfg     *SyntheticConfig
	counts  *Counts
	yield   func(*Record) bool
	stopped bool

	maker   *maker
	dice    *dice
	ids     ids
	balance *balance
	back    pace // reversals
	dup     pace
	bad     pace
	badTurn int

	wheel   *wheel
	chains  []chain
	other   *chain // the one before, for events that involve two
	beginMS int64
	tickMS  int64
	nowMS   int64 // of the present tick
	event   int64 // last event id given

	ring kept
}

// chain is one chain of a stream, one event at a time.
type chain struct {
	ladder
	seed       uint32
	size, done int64 // events planned, and made
	startMS    int64 // after the stream's begin
	slow       float64
	grown      float64 // how much of its growth falls before the stream's end
	pending    int32   // depth of a join that waited for its inviter's share; 0: none
	order      uint32  // the last purchase that pays and is not reversed; 0: none

	// The seed's code, which three joins in five carry: minting it each time would be a
	// tenth of the whole work.
	code    [maxCodeText]byte
	codeLen int
}

// maxCodeText is beyond the longest code: 9 bytes for each of four numbers, 12 others, in base32.
const maxCodeText = 80

func newRun(cfg *SyntheticConfig, counts *Counts, yield func(*Record) bool) *run {
	r := &run{
		cfg: cfg, counts: counts, yield: yield,
		maker: newMaker(&cfg.Config, fmt.Sprintf("synthetic/%d", cfg.Seed)),
		dice:  newDice(cfg.Seed, 0), ids: newIDs(cfg.Seed),
		balance: newBalance(cfg.Mix),
		back:    pace{want: cfg.Reversals, among: cfg.regular()},
		dup:     pace{want: cfg.duplicates(), among: cfg.Events},
		bad:     pace{want: cfg.bads(), among: cfg.Events},
	}
	ticks := min(max(4*cfg.Events, 1024), maxTicks, cfg.SpanMS)
	r.tickMS = cfg.SpanMS / ticks
	r.beginMS = cfg.NowMS - (ticks-1)*r.tickMS
	r.wheel = newWheel(int(ticks), cfg.Chains)
	r.plan()
	return r
}

// plan gives every chain its size, its speed and its start in the first nine tenths of the stream.
func (r *run) plan() {
	s := &r.cfg.Shape
	r.chains = make([]chain, r.cfg.Chains)
	rest := r.cfg.regular() - int64(len(r.chains)) // after the seeds' shares
	giant := int64(float64(rest) * r.cfg.Giant)
	for i, size := range s.sizes(r.dice, len(r.chains), rest-giant) {
		c := &r.chains[i]
		c.size = size + 1
		c.startMS = int64(r.dice.unit() * 0.9 * float64(r.cfg.SpanMS))
		if i == 0 && giant > 0 {
			c.size += giant
			c.startMS /= 10
		}
		c.slow = s.AgeBetween * r.dice.normal()
		c.grown = max(1e-9, s.grownBy(c.slow, r.cfg.SpanMS-c.startMS))
		r.wheel.put(int32(i), int(c.startMS/r.tickMS))
	}
}

// all yields the whole stream.
func (r *run) all() {
	for !r.stopped {
		i, ok := r.wheel.take()
		if !ok {
			break
		}
		c := &r.chains[i]
		r.nowMS = r.beginMS + int64(r.wheel.tick)*r.tickMS
		r.turn(c)
		r.spoil(c)
		if c.done < c.size {
			r.wheel.put(i, r.tickOf(c))
		} else {
			c.rungs = nil // K6
		}
		r.other = c
	}
}

// tickOf is when a chain's next event happens.
func (r *run) tickOf(c *chain) int {
	p := quantile(r.dice, c.done-1, c.size-1) * c.grown
	age := r.cfg.Shape.ageMS(c.slow, min(p, 1-0x1p-40))
	return int(min(c.startMS+age, math.MaxInt32*r.tickMS) / r.tickMS)
}

// turn makes one good event of a chain (K1: the seed's share first, an inviter's share before its joins).
func (r *run) turn(c *chain) {
	switch next := r.balance.next(); {
	case c.done == 0:
		c.seed = r.ids.number()
		c.ladder = seeded(c.seed)
		c.codeLen = copy(c.code[:], r.maker.mint(r.ids.of(c.seed), r.ids.of(c.seed)))
		r.share(c, 0)
	case c.pending > 0:
		r.join(c, c.pending)
		c.pending = 0
	case c.order != 0 && r.back.due(r.counts.Accepted()):
		r.reverse(c)
	case next == actShare && r.reshare(c):
	case next == actPurchase:
		r.purchase(c)
	default:
		r.invite(c)
	}
}

// spoil sends what is due of bad records and duplicates, among the events of a chain; all
// that are left after the last event.
func (r *run) spoil(c *chain) {
	sent := func() int64 {
		if r.wheel.left == 0 && c.done == c.size {
			return r.cfg.Events
		}
		return r.counts.Records
	}
	for !r.stopped && r.bad.due(sent()) {
		if !r.spoiled(c) {
			break
		}
		r.bad.done++
	}
	for !r.stopped && r.dup.due(sent()) && r.ring.n > 0 {
		r.dup.done++
		r.counts.Duplicates++
		r.send(r.ring.pick(r.dice, r.nowMS))
	}
}

// send yields a record.
func (r *run) send(rec *Record) {
	r.counts.Records++
	if !r.stopped && !r.yield(rec) {
		r.stopped = true
	}
}

// accepted sends a good event of a chain and counts its turn. It may be sent again.
func (r *run) accepted(c *chain, e *schemas.Event, a act) {
	rec := r.made(c, e, a)
	r.ring.offer(rec)
	r.send(rec)
}

func (r *run) made(c *chain, e *schemas.Event, a act) *Record {
	c.done++
	r.balance.did(a)
	return r.record(c, e)
}

// record makes an event of a chain at the present time, unless it has a time already.
func (r *run) record(c *chain, e *schemas.Event) *Record {
	r.fill(c, e)
	return r.maker.record(e, r.nowMS)
}

// fill sets what every event of a chain has in common.
func (r *run) fill(c *chain, e *schemas.Event) {
	r.event++
	e.ID = r.maker.id('e', r.event)
	e.Trace = r.maker.trace(r.dice)
	e.Chain = r.ids.of(c.seed)
	if e.Campaign == 0 {
		e.Campaign = r.cfg.Campaign
	}
	if e.TimeMS == 0 {
		e.TimeMS = r.nowMS
	}
}
