package verify

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// world is a log in the making: what upstream sent, and what a flawless hongbao would have
// written. Facts, commands and results are structs until build, so that a test may change one and
// everything that hangs on it (seq, hash, metadata) is made anew.
type world struct {
	tb       testing.TB
	campaign *schemas.Campaign
	parts    []*wpart

	results     []*wresult
	inviteDead  []*pb.DeadLetter
	couponDead  []*pb.DeadLetter
	noCommits   bool
	nextEventID int
}

const (
	worldPartitions = 2
	group           = "hongbao"
	source          = "test/upstream"
)

// wpart is one partition: its records so far and its facts, StepEnded among them.
type wpart struct {
	w          *world
	id         int32
	events     []*topiclog.Record
	eventsNext int64
	control    []*topiclog.Record
	commands   []*wcommand
	next       int64 // offset of the next command
	taken      int64 // position of coupon.commands
	clock      int64
	facts      []*wfact
	producer   int64
}

type wfact struct {
	f        schemas.Fact
	key      int64
	first    *wfact    // of Duplicate
	command  *wcommand // of a creation
	producer int64
	fixed    int64 // a seq that build must not set
}

type wcommand struct {
	offset int64
	key    string
	c      schemas.Command
	of     *wfact // nil: of another service
	raw    []byte // instead of c
	mac    []byte // instead of hongbao's signature
}

type wresult struct {
	m  *pb.CouponResult
	of *wfact
	in int32
}

// wevent is an event as the test thinks of it.
type wevent struct {
	kind     schemas.EventKind
	ms       int64
	chain    int64
	user     int64
	inviter  int64
	code     string
	expires  int64
	order    string
	amount   int64
	currency string

	id     string
	offset int64
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	text, err := os.ReadFile("../../testdata/verify/campaign.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	c, err := schemas.ParseCampaign("testdata/verify/campaign.yaml", text)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tb: tb, campaign: c}
	for id := range int32(worldPartitions) {
		w.parts = append(w.parts, &wpart{w: w, id: id, producer: 100 + int64(id), clock: c.StartsMS + 2*hour})
	}
	return w
}

// id is the n-th user id whose chain lies in the partition.
func (p *wpart) userID(n int) int64 {
	for id := int64(1_000_000_007); ; id += 97 {
		if schemas.Partition(schemas.AppendKey(nil, id), worldPartitions) != p.id {
			continue
		}
		if n == 0 {
			return id
		}
		n--
	}
}

func (w *world) mint(chain, inviter, expires int64) string {
	return schemas.DemoCodeKeys().Mint(schemas.Code{Campaign: w.campaign.ID, Chain: chain, Inviter: inviter, ExpiresS: expires})
}

// at is n minutes after the campaign's start.
func (w *world) at(n int64) int64 { return w.campaign.StartsMS + n*60_000 }

// send writes an event and gives it its offset and id.
func (p *wpart) send(e *wevent) *wevent {
	p.w.nextEventID++
	if e.id == "" {
		e.id = fmt.Sprintf("event-%d", p.w.nextEventID)
	}
	var m proto.Message
	switch e.kind {
	case schemas.EventShare:
		m = &pb.ShareCreated{EventTimeMs: e.ms, Campaign: p.w.campaign.ID, Chain: e.chain, User: e.user, Code: e.code}
	case schemas.EventJoin:
		m = &pb.InviteJoined{EventTimeMs: e.ms, Code: e.code, Invitee: e.user, ClusterKeys: &pb.ClusterKeys{Device: "d1"}}
	case schemas.EventPurchase:
		m = &pb.PurchaseSettled{EventTimeMs: e.ms, Campaign: p.w.campaign.ID, Chain: e.chain, Buyer: e.user, OrderId: e.order, AmountMinor: e.amount, Currency: e.currency}
	case schemas.EventReversal:
		m = &pb.PurchaseReversed{EventTimeMs: e.ms, Campaign: p.w.campaign.ID, Chain: e.chain, OrderId: e.order}
	}
	value, err := proto.Marshal(m)
	if err != nil {
		p.w.tb.Fatal(err)
	}
	e.offset = p.record(schemas.AppendKey(nil, e.chain), value, string(m.ProtoReflect().Descriptor().Name()), e.id)
	return e
}

// record writes any record to invite.events, two offsets after the last: the offsets between are
// markers and aborted records, which are no input.
func (p *wpart) record(key, value []byte, kind, id string) int64 {
	r := &topiclog.Record{
		Key: key, Value: value, Partition: p.id, Offset: p.eventsNext, Timestamp: time.UnixMilli(p.clock),
		Headers: []topiclog.Header{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_source", Value: []byte(source)},
			{Key: "ce_id", Value: []byte(id)},
			{Key: "ce_type", Value: []byte("hongbao.invite.v1." + kind)},
		},
	}
	p.events = append(p.events, r)
	p.eventsNext += 2
	return r.Offset
}

func (p *wpart) add(f *wfact) *wfact {
	f.producer = p.producer
	p.facts = append(p.facts, f)
	return f
}

func (p *wpart) verdict(kind schemas.FactKind, e *wevent) *wfact {
	v := schemas.Verdict{
		Offset: e.offset, Event: e.kind, Source: []byte(source), ID: []byte(e.id), TimeMS: e.ms,
		Campaign: p.w.campaign.ID, Chain: e.chain, User: e.user, Inviter: e.inviter, OrderID: []byte(e.order),
	}
	return p.add(&wfact{f: schemas.Fact{Kind: kind, Verdict: v}, key: e.chain})
}

// accept writes the Accepted fact and the commands of its rewards.
func (p *wpart) accept(e *wevent, depth int32, rewards ...schemas.Reward) *wfact {
	f := p.verdict(schemas.FactAccepted, e)
	v := &f.f.Verdict
	v.Depth = depth
	switch e.kind {
	case schemas.EventShare:
		v.CodeExpiresS = e.expires
	case schemas.EventJoin:
		v.Device = []byte("d1")
	case schemas.EventPurchase:
		v.AmountMinor, v.Currency = e.amount, []byte(e.currency)
	}
	v.Rewards = rewards
	kind := p.w.campaign.Coupons[0]
	for i := range rewards {
		r := &rewards[i]
		p.command(f, schemas.Command{
			CouponID: r.CouponID, HasCouponID: true, Campaign: p.w.campaign.ID, Chain: e.chain, Beneficiary: r.Beneficiary,
			Coupon: kind.Name, Rule: r.Rule, ValueMinor: kind.ValueMinor, Currency: kind.Currency, ValidForMS: kind.ValidForMS,
			OrderID: []byte(e.order),
		})
	}
	return f
}

func (p *wpart) command(of *wfact, c schemas.Command) *wcommand {
	cmd := &wcommand{offset: p.next, key: fmt.Sprint(c.Chain), c: c, of: of}
	p.commands = append(p.commands, cmd)
	p.next++
	return cmd
}

func (p *wpart) refuse(e *wevent, reason schemas.Reason) *wfact {
	f := p.verdict(schemas.FactRefused, e)
	f.f.Verdict.Reason = reason
	return f
}

func (p *wpart) duplicate(e *wevent, first *wfact) *wfact {
	f := p.verdict(schemas.FactDuplicate, e)
	f.first = first
	return f
}

// bury writes the dead letter of the last event record.
func (p *wpart) bury(reason schemas.Reason) *pb.DeadLetter {
	r := p.events[len(p.events)-1]
	d := &pb.DeadLetter{
		OriginTopic: "invite.events", OriginPartition: p.id, OriginOffset: r.Offset, Key: r.Key, Value: r.Value,
		ValueBytes: int64(len(r.Value)), Reason: reason, Sentence: "for the test",
	}
	p.w.inviteDead = append(p.w.inviteDead, d)
	return d
}

func (p *wpart) rare(f *pb.Fact, kind schemas.FactKind) *wfact {
	return p.add(&wfact{f: schemas.Fact{Kind: kind, Rare: f}})
}

func (p *wpart) activate() {
	c := p.w.campaign
	p.rare(&pb.Fact{Body: &pb.Fact_CampaignActivated{CampaignActivated: &pb.CampaignActivated{
		Campaign: c.ID, Version: c.Version, Sha256: c.SHA256[:], Text: string(c.Text),
	}}}, schemas.FactCampaignActivated)
}

func (p *wpart) change(number int64, kind pb.ChangeKind) {
	c := &pb.CampaignChange{Campaign: p.w.campaign.ID, Number: number, Kind: kind}
	offset := p.ask(&pb.ControlCommand{CommandId: fmt.Sprint("change", number), Body: &pb.ControlCommand_CampaignChange{CampaignChange: c}})
	p.rare(&pb.Fact{Body: &pb.Fact_CampaignChanged{CampaignChanged: &pb.CampaignChanged{Change: c, Offset: offset}}}, schemas.FactCampaignChanged)
}

// ask writes a record to hongbao.control.
func (p *wpart) ask(c *pb.ControlCommand) int64 {
	value, err := proto.Marshal(c)
	if err != nil {
		p.w.tb.Fatal(err)
	}
	r := &topiclog.Record{Key: []byte("1"), Value: value, Partition: p.id, Offset: int64(len(p.control))}
	p.control = append(p.control, r)
	return r.Offset
}

// end closes the step: every event sent so far is answered.
func (p *wpart) end() {
	s := schemas.StepEnded{WorkerClockMS: p.clock}
	s.Positions[schemas.TopicEvents] = p.eventsNext
	s.Positions[schemas.TopicCommands] = p.taken
	s.Positions[schemas.TopicControl] = int64(len(p.control))
	p.add(&wfact{f: schemas.Fact{Kind: schemas.FactStepEnded, Step: s}})
	p.clock += 2000
}

// reward is what the campaign's rule grants.
func (w *world) reward(rule string, beneficiary int64, ordinal int32, trigger string) schemas.Reward {
	r := schemas.Reward{Rule: []byte(rule), Beneficiary: beneficiary, Coupon: w.campaign.Coupons[0].Name, Ordinal: ordinal}
	schemas.MakeCouponID(&r.CouponID, w.campaign.ID, r.Rule, beneficiary, []byte(trigger))
	return r
}

// build makes the records: seq, first seq, fact seq, hashes, metadata.
func (w *world) build() *memLog {
	log := &memLog{commits: make([]topiclog.Commit, worldPartitions)}
	for _, p := range w.parts {
		log.topics[schemas.TopicControl] = append(log.topics[schemas.TopicControl], p.control)
		log.topics[schemas.TopicEvents] = append(log.topics[schemas.TopicEvents], p.events)
		log.commits[p.id] = p.buildFacts(log)
		p.buildCommands(log)
	}
	for t := range log.topics {
		for len(log.topics[t]) < worldPartitions {
			log.topics[t] = append(log.topics[t], nil)
		}
	}
	for _, r := range w.results {
		r.m.Id = fmt.Sprintf("%d-%d-0", r.in, r.of.f.Seq)
		log.append(w.tb, schemas.TopicResults, schemas.AppendKey(nil, r.m.UserId), r.m)
	}
	for _, d := range w.inviteDead {
		log.append(w.tb, schemas.TopicInviteDead, d.Key, d)
	}
	for _, d := range w.couponDead {
		log.append(w.tb, schemas.TopicCouponDead, d.Key, d)
	}
	return log
}

func (p *wpart) buildFacts(log *memLog) topiclog.Commit {
	var hash schemas.Hash
	var records []*topiclog.Record
	for i, f := range p.facts {
		if f.f.Seq = int64(i + 1); f.fixed != 0 {
			f.f.Seq = f.fixed
		}
	}
	buf, inStep := append([]byte(nil), hash[:]...), int32(0)
	meta := schemas.Metadata{}
	for _, f := range p.facts {
		if f.first != nil {
			f.f.Verdict.FirstSeq = f.first.f.Seq
		}
		if f.command != nil {
			f.f.Rare.GetCouponMoved().Command = f.command.proto()
		}
		inStep++
		f.f.Step.Hash = schemas.Hash{}
		if f.f.Kind == schemas.FactStepEnded && f.f.Step.Facts == 0 {
			f.f.Step.Facts = inStep
		}
		value := schemas.AppendFact(nil, &f.f)
		buf = schemas.AppendHashed(buf, value)
		if f.f.Kind == schemas.FactStepEnded {
			hash = schemas.HashStep(buf)
			value = schemas.AppendStepHash(value, hash)
			meta = schemas.Metadata{Seq: f.f.Seq, Hash: hash, Positions: f.f.Step.Positions, ClockMS: f.f.Step.WorkerClockMS}
			buf, inStep = append(buf[:0], hash[:]...), 0
		}
		var key []byte
		if f.key != 0 {
			key = schemas.AppendKey(nil, f.key)
		}
		records = append(records, &topiclog.Record{Offset: int64(3 * len(records)), Key: key, Value: value, ProducerID: f.producer, ProducerEpoch: 7})
	}
	log.topics[schemas.TopicFacts] = append(log.topics[schemas.TopicFacts], records)
	if p.w.noCommits || meta.Seq == 0 {
		return topiclog.Commit{Offset: -1}
	}
	text, err := meta.AppendText(nil)
	if err != nil {
		p.w.tb.Fatal(err)
	}
	return topiclog.Commit{Offset: meta.Positions[schemas.TopicEvents], Metadata: string(text)}
}

func (c *wcommand) proto() *pb.CouponCommand {
	if c.of != nil {
		c.c.FactSeq = c.of.f.Seq
	}
	m := &pb.CouponCommand{}
	if err := proto.Unmarshal(schemas.AppendCommand(nil, &c.c), m); err != nil {
		panic(err)
	}
	return m
}

func (p *wpart) buildCommands(log *memLog) {
	var records []*topiclog.Record
	for _, c := range p.commands {
		value := c.raw
		if value == nil {
			c.proto()
			signed := c.c
			if signed.MAC = c.mac; signed.FactSeq != 0 && c.mac == nil {
				schemas.NewCommandSigner(schemas.DemoCodeKeys()).Sign(&signed)
			}
			value = schemas.AppendCommand(nil, &signed)
		}
		records = append(records, &topiclog.Record{Offset: c.offset, Key: []byte(c.key), Value: value})
	}
	log.topics[schemas.TopicCommands] = append(log.topics[schemas.TopicCommands], records)
}

func (p *wpart) index(f *wfact) int {
	for i := range p.facts {
		if p.facts[i] == f {
			return i
		}
	}
	p.w.tb.Fatal("the fact is not in this partition")
	return -1
}

func (p *wpart) drop(f *wfact) { p.facts = slices.Delete(p.facts, p.index(f), p.index(f)+1) }

func (p *wpart) double(f *wfact) {
	again := *f
	p.facts = slices.Insert(p.facts, p.index(f)+1, &again)
}

func (p *wpart) swap(f, g *wfact) {
	i, j := p.index(f), p.index(g)
	p.facts[i], p.facts[j] = g, f
}

// refused finds the first refusal with the reason.
func (p *wpart) refused(reason schemas.Reason) *wfact {
	for _, f := range p.facts {
		if f.f.Kind == schemas.FactRefused && f.f.Verdict.Reason == reason {
			return f
		}
	}
	p.w.tb.Fatalf("no refusal with %s", reason)
	return nil
}

// kind finds the n-th fact of a kind.
func (p *wpart) kind(k schemas.FactKind, n int) *wfact {
	for _, f := range p.facts {
		if f.f.Kind == k {
			if n == 0 {
				return f
			}
			n--
		}
	}
	p.w.tb.Fatalf("no such fact of kind %d", k)
	return nil
}

func (sc *scenario) dropResult(r *wresult) {
	sc.results = slices.DeleteFunc(sc.results, func(x *wresult) bool { return x == r })
}
