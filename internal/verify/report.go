package verify

import (
	"strings"
	"sync"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// Check is the name of one of the checks.
type Check string

// The checks of domain.md section 7. The names are part of the report's contract.
const (
	CheckInputs  Check = "inputs"
	CheckFacts   Check = "facts"
	CheckGraph   Check = "graph"
	CheckAcross  Check = "across"
	CheckRewards Check = "rewards"
	CheckCoupons Check = "coupons"
	CheckControl Check = "control"
	CheckStock   Check = "stock"
)

// Report is what verify found. Its JSON names are a contract.
type Report struct {
	OK             bool              `json:"ok"`     // nothing broken, no lag, no coupon open
	Events         int64             `json:"events"` // records of invite.events below the committed offsets
	Facts          int64             `json:"facts"`
	SharesAccepted int64             `json:"shares_accepted"`
	JoinsAccepted  int64             `json:"joins_accepted"`
	Depth          map[string]int64  `json:"depth"`    // accepted joins by depth
	Verdicts       map[string]int64  `json:"verdicts"` // ACCEPTED, DUPLICATE and reasons
	Dead           int64             `json:"dead"`     // records in invite.dead
	Coupons        map[string]int64  `json:"coupons"`  // by state
	Open           int64             `json:"open"`     // PENDING, VALIDATING, ISSUING or RETRYING
	Lag            int64             `json:"lag"`      // records of all inputs not yet read
	Partitions     []PartitionReport `json:"partitions"`
	Broken         []Broken          `json:"broken"`
	BrokenTotal    int64             `json:"broken_total"` // Broken is bounded, this is not

	Gone   int64 `json:"gone"`            // verdicts not recomputed: retention has deleted their events
	Others int64 `json:"commands_others"` // commands of other services, which have no fact behind them
	Unpaid int64 `json:"unpaid"`          // rewards without a coupon, for their commands lie in coupon.dead

	// CodesUnchecked are well-formed codes under a key that was not given, dropped since or secret: whether they are genuine is taken as the facts took it.
	CodesUnchecked int64 `json:"codes_unchecked"`

	UsedReversed      []string `json:"used_reversed"`       // vouchers that were used although their order is reversed; nothing is taken back (domain.md section 6)
	UsedReversedTotal int64    `json:"used_reversed_total"` // UsedReversed is bounded, this is not
}

// PartitionReport is the end of one partition's facts.
type PartitionReport struct {
	Partition int32  `json:"partition"`
	Seq       int64  `json:"seq"`
	Hash      string `json:"hash"` // 32 hex digits
}

// Broken is one thing that is not as it should be.
type Broken struct {
	Check     Check  `json:"check"`
	Partition int32  `json:"partition"`
	Seq       int64  `json:"seq"`    // of the fact; 0 when it is not about one
	Offset    int64  `json:"offset"` // in the topic that the sentence names; -1 when it is not about one
	Sentence  string `json:"sentence"`
}

// recorder keeps the first findings and counts all.
type recorder struct {
	mu    sync.Mutex
	keep  int
	kept  []Broken
	total int64
}

func (r *recorder) add(b Broken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if len(r.kept) < r.keep {
		r.kept = append(r.kept, b)
	}
}

// tally is what one partition counts.
type tally struct {
	events, facts, shares, joins, gone, others, unchecked int64

	accepted, duplicate int64
	refused             [64]int64 // by reason
	depth               []int64   // accepted joins, by depth
}

func (t *tally) join(depth int32) {
	t.joins++
	if depth < 0 || depth > maxDepthCounted {
		return
	}
	for int(depth) >= len(t.depth) {
		t.depth = append(t.depth, 0)
	}
	t.depth[depth]++
}

// maxDepthCounted bounds the table against a fact that names an absurd depth.
const maxDepthCounted = 1 << 20

func (v *run) report() *Report {
	r := &Report{
		Depth: map[string]int64{}, Verdicts: map[string]int64{}, Coupons: map[string]int64{},
		Partitions: make([]PartitionReport, 0, len(v.parts)),
		Broken:     v.broken.kept, BrokenTotal: v.broken.total,
		Dead: v.dead, Lag: v.lag,
	}
	r.UsedReversed = []string{}
	if r.Broken == nil {
		r.Broken = []Broken{}
	}
	for _, p := range v.parts {
		p.addTo(r)
		for _, id := range p.usedReversed[:min(len(p.usedReversed), v.cfg.KeepBroken-len(r.UsedReversed))] {
			r.UsedReversed = append(r.UsedReversed, hex(id[:]))
		}
		r.UsedReversedTotal += int64(len(p.usedReversed))
	}
	r.OK = r.BrokenTotal == 0 && r.Lag == 0 && r.Open == 0
	return r
}

func (p *partition) addTo(r *Report) {
	t := &p.tally
	r.Events += t.events
	r.Facts += t.facts
	r.SharesAccepted += t.shares
	r.JoinsAccepted += t.joins
	r.Gone += t.gone
	r.Others += t.others
	r.CodesUnchecked += t.unchecked
	for d, n := range t.depth {
		count(r.Depth, itoa(int64(d)), n)
	}
	count(r.Verdicts, "ACCEPTED", t.accepted)
	count(r.Verdicts, "DUPLICATE", t.duplicate)
	for reason, n := range t.refused {
		count(r.Verdicts, reasonName(schemas.Reason(reason)), n)
	}
	for i := range p.coupons.all {
		c := &p.coupons.all[i]
		if c.state == pb.CouponState_COUPON_STATE_UNSPECIFIED {
			if c.factSeq != 0 && c.command < p.meta.Positions[schemas.TopicCommands] {
				r.Unpaid++
			}
			continue
		}
		r.Coupons[stateName(c.state)]++
		if c.open() {
			r.Open++
		}
	}
	r.Partitions = append(r.Partitions, PartitionReport{Partition: p.id, Seq: p.seq, Hash: hex(p.hash[:])})
}

func count(m map[string]int64, name string, n int64) {
	if n > 0 {
		m[name] += n
	}
}

func reasonName(r schemas.Reason) string { return strings.TrimPrefix(r.String(), "REASON_") }

func stateName(s pb.CouponState) string { return strings.TrimPrefix(s.String(), "COUPON_STATE_") }

func voucherName(s pb.VoucherState) string { return strings.TrimPrefix(s.String(), "VOUCHER_STATE_") }

// bad records a finding about a fact.
func (p *partition) bad(check Check, format string, args ...any) {
	p.v.broken.add(Broken{check, p.id, p.at, -1, sentence(format, args...)})
}

// badAt records a finding about a record of an input or of an output.
func (v *run) badAt(check Check, r *topiclog.Record, partition int32, format string, args ...any) {
	v.broken.add(Broken{check, partition, 0, r.Offset, sentence(format, args...)})
}
