package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// reviewChain is the chain of the coupons that writeCoupons makes.
const reviewChain = 4711

// lifeMove is one move in a coupon's life.
type lifeMove struct {
	from            pb.CouponState
	event           pb.CouponEvent
	to              pb.CouponState
	reason          schemas.Reason
	attempts, round int32
	lastError       string
}

// The lives that end where a person must decide.
var (
	toHeld = []lifeMove{
		{event: pb.CouponEvent_COUPON_EVENT_CREATE, to: pb.CouponState_COUPON_STATE_PENDING},
		{from: pb.CouponState_COUPON_STATE_PENDING, event: pb.CouponEvent_COUPON_EVENT_VALIDATE, to: pb.CouponState_COUPON_STATE_VALIDATING},
		{from: pb.CouponState_COUPON_STATE_VALIDATING, event: pb.CouponEvent_COUPON_EVENT_HOLD, to: pb.CouponState_COUPON_STATE_HELD},
	}
	toIssuing = append(slices.Clone(toHeld[:2]),
		lifeMove{from: pb.CouponState_COUPON_STATE_VALIDATING, event: pb.CouponEvent_COUPON_EVENT_ALLOW, to: pb.CouponState_COUPON_STATE_ISSUING})
	toDead   = append(slices.Clone(toIssuing), exhausted(0))
	toFailed = append(slices.Clone(toIssuing), lifeMove{
		from: pb.CouponState_COUPON_STATE_ISSUING, event: pb.CouponEvent_COUPON_EVENT_OUT_OF_STOCK, to: pb.CouponState_COUPON_STATE_FAILED,
		reason: pb.Reason_REASON_OUT_OF_STOCK,
	})
	// What its first fact says was forgotten when it failed.
	toDeadAgain = append(slices.Clone(toFailed), lifeMove{
		from: pb.CouponState_COUPON_STATE_FAILED, event: pb.CouponEvent_COUPON_EVENT_REDRIVE, to: pb.CouponState_COUPON_STATE_ISSUING, round: 1,
	}, exhausted(1))
)

func exhausted(round int32) lifeMove {
	return lifeMove{
		from: pb.CouponState_COUPON_STATE_ISSUING, event: pb.CouponEvent_COUPON_EVENT_EXHAUST, to: pb.CouponState_COUPON_STATE_DEAD,
		reason: pb.Reason_REASON_EXHAUSTED, attempts: 4, round: round, lastError: "the issuer does not answer",
	}
}

// factLog is one step of facts, as a worker publishes it.
type factLog struct {
	partition int32
	hashed    []byte
	records   []topiclog.Record
}

func newFactLog(partition int32) *factLog {
	return &factLog{partition: partition, hashed: make([]byte, len(schemas.Hash{}))}
}

func (l *factLog) add(f *schemas.Fact) {
	f.Seq = int64(len(l.records) + 1)
	value := schemas.AppendFact(nil, f)
	l.hashed = schemas.AppendHashed(l.hashed, value)
	if f.Kind == schemas.FactStepEnded {
		value = schemas.AppendStepHash(value, schemas.HashStep(l.hashed))
	}
	l.records = append(l.records, topiclog.Record{Partition: l.partition, Value: value})
}

// writeCoupons writes facts of the demo campaign with one coupon per life, under ids of that byte, and says in
// which partition.
func (s *stage) writeCoupons(lives map[byte][]lifeMove) (partition int32) {
	s.t.Helper()
	partition = schemas.Partition(schemas.AppendKey(nil, reviewChain), partitions)
	demo := schemas.DemoCampaign()
	l := newFactLog(partition)
	rare := func(kind schemas.FactKind, f *pb.Fact) { l.add(&schemas.Fact{Kind: kind, Rare: f}) }
	rare(schemas.FactCampaignActivated, &pb.Fact{Body: &pb.Fact_CampaignActivated{CampaignActivated: &pb.CampaignActivated{
		Campaign: demo.ID, Version: demo.Version, Sha256: demo.SHA256[:], Text: string(demo.Text),
	}}})
	ids := make([]byte, 0, len(lives))
	for id := range lives {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for i := range lives[id] {
			move := &lives[id][i]
			m := &pb.CouponMoved{
				CouponId: couponOf(id), From: move.from, Event: move.event, To: move.to, Reason: move.reason, Attempts: move.attempts,
				Round: move.round, LastError: move.lastError, FirstError: move.lastError, Transition: int32(i + 1), TimeMs: 1000 * int64(i+1),
			}
			if i == 0 {
				m.Command = &pb.CouponCommand{
					CouponId: couponOf(id), Campaign: demo.ID, Chain: reviewChain, Beneficiary: int64(id), Coupon: string(demo.Coupons[0].Name),
					ValueMinor: 500, Currency: "CNY", ValidForMs: 1 << 40, CommandId: fmt.Sprint("command ", id),
				}
			}
			rare(schemas.FactCouponMoved, &pb.Fact{Body: &pb.Fact_CouponMoved{CouponMoved: m}})
		}
	}
	l.add(&schemas.Fact{Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: 10_000, Facts: int32(len(l.records) + 1)}})
	s.write(schemas.TopicFacts, l.records...)
	return partition
}

func couponOf(id byte) []byte { return slices.Repeat([]byte{id}, len(schemas.CouponID{})) }

func couponHex(id byte) string { return schemas.CouponID(couponOf(id)).String() }

func (s *stage) states(args ...string) map[string]string {
	s.t.Helper()
	var l struct{ Coupons []couponLine }
	s.must(&l, args...)
	byID := map[string]string{}
	for _, c := range l.Coupons {
		byID[c.Coupon[:2]] = c.State + " " + c.Reason
	}
	return byID
}

func expect(t *testing.T, what string, got map[string]string, want string) {
	t.Helper()
	if fmt.Sprint(got) != want {
		t.Errorf("%s: got %v, want %s", what, got, want)
	}
}

// decided is a decision's answer without what the lists show too.
type decided struct {
	OK       bool
	Decision string
	Coupons  []struct{ Outcome, Coupon, Sentence string }
}

// The whole of a review: facts without an offset are adopted, an instance restores them, and a person's
// decisions move the coupons on (domain.md section 6).
func TestReview(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	partition := s.writeCoupons(map[byte][]lifeMove{
		0xa1: toHeld, 0xa2: toHeld, 0xa3: toHeld, 0xd1: toDead, 0xd2: toDead, 0xd3: toDead, 0xd4: toDeadAgain, 0xf1: toFailed,
	})
	s.must(nil, "topics", "adopt", fmt.Sprint(partition))

	expect(t, "held", s.states("held", "list"), "map[a1:HELD  a2:HELD  a3:HELD ]")
	expect(t, "dead", s.states("dead", "list"), "map[d1:DEAD EXHAUSTED d2:DEAD EXHAUSTED d3:DEAD EXHAUSTED d4:DEAD EXHAUSTED]")
	expect(t, "failed", s.states("dead", "list", "--reason", "OUT_OF_STOCK"), "map[f1:FAILED OUT_OF_STOCK]")
	expect(t, "of another campaign", s.states("dead", "list", "--campaign", "2"), "map[]")
	s.checkLine()

	by := []string{"--operator", "ops", "--note", "looked at it", "--patience", stagePatience.String()}
	decide := func(args ...string) decided {
		t.Helper()
		var d decided
		s.must(&d, append(args, by...)...)
		return d
	}
	s.serve("a")
	if d := decide("held", "approve", "--coupon", couponHex(0xa1)+","+couponHex(0xa2)); !d.OK || d.Decision != "APPROVE" || len(d.Coupons) != 2 || d.Coupons[0].Outcome != "DECIDED" {
		t.Errorf("approve: %+v", d)
	}
	decide("held", "reject", "--all")
	expect(t, "rejected", s.states("dead", "list", "--reason", "REVIEW_REJECTED"), "map[a3:DEAD REVIEW_REJECTED]")
	decide("dead", "discard", "--coupon", couponHex(0xd2))
	s.refused("no such coupon", append([]string{"dead", "redrive", "--coupon", couponHex(0xd2)}, by...)...)
	if d := decide("dead", "redrive", "--all", "--reason", "EXHAUSTED", "--campaign", "1"); len(d.Coupons) != 3 {
		t.Errorf("redrive: %+v; want the three that are still dead", d)
	}
	decide("dead", "redrive", "--coupon", couponHex(0xf1))
	if d := decide("dead", "redrive", "--all", "--reason", "EXHAUSTED"); !d.OK || len(d.Coupons) != 0 {
		t.Errorf("redrive again: %+v; want nothing to be left", d)
	}
	expect(t, "held in the end", s.states("held", "list"), "map[]")
	s.until("every coupon that goes on is issued", func() bool {
		ends := s.transitions()
		return fmt.Sprint(ends) == "map[a1:COMPLETED a2:COMPLETED a3:DEAD d1:COMPLETED d2:FAILED d3:COMPLETED d4:COMPLETED f1:COMPLETED]"
	})
}

// checkLine: what only the first fact says is there also of a coupon that came back from an end.
func (s *stage) checkLine() {
	s.t.Helper()
	var l deadAnswer
	s.must(&l, "dead", "list")
	c := l.Coupons[slices.IndexFunc(l.Coupons, func(c *couponLine) bool { return c.Coupon == couponHex(0xd4) })]
	if c.Campaign != 1 || c.Chain != reviewChain || c.User != 0xd4 || c.Kind != "five_off" || c.Round != 1 || c.Attempts != 4 || c.Since != "1970-01-01T00:00:06Z" {
		s.t.Errorf("a coupon that died again: %+v", c)
	}
}

// moves counts the moves of all coupons.
func (s *stage) moves() (n int) {
	s.t.Helper()
	s.eachMove(func(*pb.CouponMoved) { n++ })
	return n
}

// transitions are the states in which the facts leave the coupons.
func (s *stage) transitions() map[string]string {
	s.t.Helper()
	states := map[string]string{}
	s.eachMove(func(m *pb.CouponMoved) {
		states[fmt.Sprintf("%x", m.GetCouponId()[:1])] = m.GetTo().String()[len("COUPON_STATE_"):]
	})
	return states
}

func (s *stage) eachMove(fn func(*pb.CouponMoved)) {
	s.t.Helper()
	if err := eachCouponMove(s.t.Context(), s.log, nil, func(_ int32, m *pb.CouponMoved) { fn(m) }); err != nil {
		s.t.Fatal(err)
	}
}

func TestReviewRefusals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.writeCoupons(map[byte][]lifeMove{0xa1: toHeld, 0xd1: toDead})
	by := func(args ...string) []string { return append(args, "--operator", "ops", "--note", "x", "--no-wait") }
	s.refused("--operator is empty", "held", "approve", "--all")
	s.refused("--note is empty", "held", "approve", "--all", "--operator", "ops")
	s.refused("and not both", by("held", "approve")...)
	s.refused("and not both", by("held", "approve", "--all", "--coupon", couponHex(0xa1))...)
	s.refused("32 hex digits", by("held", "approve", "--coupon", "a1")...)
	s.refused("no such coupon", by("held", "approve", "--coupon", couponHex(0xd1))...)
	s.refused("no such coupon", by("dead", "redrive", "--coupon", couponHex(0xa1))...)
	s.refused("--all without --reason", by("dead", "redrive", "--all")...)
	s.refused("--all without --reason", by("dead", "discard", "--all")...)
	s.refused(`--reason "TIRED"`, by("dead", "redrive", "--all", "--reason", "TIRED")...)
	s.refused("goes with --events", by("dead", "redrive", "--letter", "1/2")...)

	var d decided
	code, _ := s.do(&d, "held", "approve", "--all", "--operator", "ops", "--note", "x", "--patience", "200ms")
	if code != exitFailed || d.OK || len(d.Coupons) != 1 || d.Coupons[0].Outcome != "WAITING" {
		t.Errorf("nobody answers: exit %d, %+v", code, d)
	}
}

// A decision that comes too late is refused by the worker, and the command says so.
func TestReviewRefusedByWorker(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	partition := s.writeCoupons(map[byte][]lifeMove{0xd1: toDead})
	s.must(nil, "topics", "adopt", fmt.Sprint(partition))
	by := []string{"--coupon", couponHex(0xd1), "--operator", "ops", "--note", "x"}
	s.must(nil, append([]string{"dead", "discard", "--no-wait"}, by...)...)
	type result struct {
		code   int
		answer decided
	}
	ended := make(chan result, 1)
	go func() {
		var r result
		r.code, _ = s.do(&r.answer, append([]string{"dead", "redrive", "--patience", stagePatience.String()}, by...)...)
		ended <- r
	}()
	s.until("both decisions are sent", func() bool {
		ends, err := s.log.Ends(t.Context(), topiclog.Committed, schemas.TopicControl)
		return err == nil && ends[schemas.TopicControl][partition] == 2
	})
	s.serve("a")
	r := <-ended
	if r.code != exitFailed || r.answer.OK || len(r.answer.Coupons) != 1 || r.answer.Coupons[0].Outcome != "REFUSED" || r.answer.Coupons[0].Sentence == "" {
		t.Errorf("redrive after a discard: exit %d, %+v", r.code, r.answer)
	}
	expect(t, "discarded", s.transitions(), "map[d1:FAILED]")
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	partition := s.writeCoupons(map[byte][]lifeMove{0xa1: toHeld})
	name, other := fmt.Sprint(partition), fmt.Sprint((partition+1)%partitions)
	s.refused("want 0..15", "topics", "adopt", "16")
	s.refused("has no facts there", "topics", "adopt", other)
	s.refused("has no facts there", "topics", "adopt", name, other)

	var done adoptAnswer
	s.must(&done, "topics", "adopt", name)
	if len(done.Adopted) != 1 || done.Adopted[0].Seq != 5 || done.Adopted[0].Offset != 0 || len(done.Adopted[0].Hash) != 32 {
		t.Errorf("adopted %+v", done)
	}
	s.refused("has offset 0 committed", "topics", "adopt", name)
	commits, err := s.log.CommittedOffsets(t.Context(), s.prefix+"hongbao", schemas.TopicEvents)
	if err != nil {
		t.Fatal(err)
	}
	for p := range commits {
		if int32(p) != partition && commits[p].Offset != -1 {
			t.Errorf("partition %d was not named and has %+v", p, commits[p])
		}
	}
	m, err := schemas.ParseMetadata(commits[partition].Metadata)
	if err != nil || m.Seq != 5 || m.ClockMS != 10_000 {
		t.Errorf("committed %+v: %+v, %v", commits[partition], m, err)
	}
}

// A live group owns its offsets: the broker refuses, whatever the command has seen before.
func TestAdoptLeavesALiveGroupAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	partition := s.writeCoupons(map[byte][]lifeMove{0xa1: toHeld})
	member, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.ConsumerGroup(s.prefix+"hongbao"),
		kgo.ConsumeTopics(schemas.TopicEvents.Name(s.prefix)), kgo.DisableAutoCommit())
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	s.until("a member of the group", func() bool {
		_, generation := member.GroupMetadata()
		return generation > 0
	})
	s.refused("stop every instance", "topics", "adopt", fmt.Sprint(partition))
}
