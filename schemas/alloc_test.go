package schemas

import (
	"testing"

	pb "hongbao/schemas/invitepb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// hotPath is every function that runs once per event or fact, on typical input; tests hold each to
// 0 allocations, benchmarks measure each.
type hotPath struct {
	name string
	run  func()
}

type hotFixture struct {
	minter       *CodeMinter
	verifier     *CodeVerifier
	code         []byte
	coldVerifier *CodeVerifier // its cache holds nothing of what is asked
	coldCodes    [][]byte
	join         []byte
	facts        map[FactKind]*Fact
	values       map[FactKind][]byte
	command      *Command
}

func newHotFixture(tb testing.TB) *hotFixture {
	keys := DemoCodeKeys()
	x := &hotFixture{minter: NewCodeMinter(keys), verifier: NewCodeVerifier(keys), coldVerifier: NewCodeVerifier(keys)}
	const chain, user = 1<<62 + 12345, 1<<61 + 99
	x.code = x.minter.Append(nil, Code{Campaign: 1, Chain: chain, Inviter: chain, ExpiresS: 4102444800})
	for i := range int64(1 << 16) { // more than the cache holds
		x.coldCodes = append(x.coldCodes, x.minter.Append(nil, Code{Campaign: 1, Chain: chain, Inviter: chain + i, ExpiresS: 4102444800}))
	}
	var err error
	x.join, err = proto.Marshal(&pb.InviteJoined{EventTimeMs: 1_793_462_400_000, Code: string(x.code), Invitee: user, ClusterKeys: &pb.ClusterKeys{Device: "d-1234567890"}})
	if err != nil {
		tb.Fatal(err)
	}
	v := Verdict{
		Offset: 123_456_789, Event: EventJoin, Source: []byte("//signup/cn-1"), ID: []byte("e-123456789"), TimeMS: 1_793_462_400_000,
		Campaign: 1, Chain: chain, User: user, Inviter: chain, Claimed: true,
	}
	accepted := v
	accepted.Depth = 1
	accepted.Trace = []byte(testTrace)
	accepted.Rewards = []Reward{{Rule: []byte("welcome"), Beneficiary: user, Coupon: []byte("five_off"), CouponID: CouponID{1}}}
	x.facts = map[FactKind]*Fact{
		FactAccepted:  {Seq: 1 << 40, Kind: FactAccepted, Verdict: accepted},
		FactRefused:   {Seq: 1 << 40, Kind: FactRefused, Verdict: v},
		FactDuplicate: {Seq: 1 << 40, Kind: FactDuplicate, Verdict: v},
		FactStepEnded: {Seq: 1 << 40, Kind: FactStepEnded, Step: StepEnded{Positions: Positions{1, 2, 3, 4, 5, 6}, WorkerClockMS: 1_793_462_400_000, Facts: 500, Hash: Hash{1}}},
	}
	x.values = make(map[FactKind][]byte)
	for kind, f := range x.facts {
		x.values[kind] = AppendFact(nil, f)
	}
	x.command = &Command{
		HasCouponID: true, Campaign: 1, Chain: chain, Beneficiary: user, Coupon: []byte("five_off"), Rule: []byte("welcome"),
		FactSeq: 1 << 40, ValueMinor: 500, Currency: []byte("CNY"), ValidForMS: 2_592_000_000, Trace: []byte(testTrace),
	}
	return x
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (x *hotFixture) paths() []hotPath {
	paths := append(x.factPaths(), x.codePaths()...)
	var d Decoder
	var e Event
	var c Command
	var ids CouponIDs
	var id CouponID
	var m Metadata
	var buf, trigger []byte
	typ, source, eventID := []byte("hongbao.invite.v1.InviteJoined"), []byte("//signup/cn-1"), []byte("e-123456789")
	command := AppendCommand(nil, x.command)
	signed, signer, signatures := *x.command, NewCommandSigner(DemoCodeKeys()), NewCommandVerifier(DemoCodeKeys())
	return append(paths,
		hotPath{"event", func() {
			d.Reset()
			d.Header("ce_id", eventID)
			d.Header("ce_source", source)
			d.Header("ce_type", typ)
			must(d.Event(x.join, &e))
		}},
		hotPath{"command/append", func() { buf = AppendCommand(buf[:0], x.command) }},
		hotPath{"command/sign", func() { signer.Sign(&signed); signatures.Verify(&signed) }},
		hotPath{"command/decode", func() { must(c.Decode(command)) }},
		hotPath{"coupon id", func() {
			trigger = AppendTriggerDirect(trigger[:0], 1<<62, 7)
			ids.Make(&id, 1, x.command.Rule, 1<<61, trigger)
		}},
		hotPath{"partition", func() {
			buf = AppendKey(buf[:0], 1<<62)
			Partition(buf, 16)
		}},
		hotPath{"metadata", func() { buf, _ = m.AppendText(buf[:0]) }},
	)
}

func (x *hotFixture) factPaths() []hotPath {
	var buf []byte
	var f Fact
	var h StepHasher
	step := make([]byte, 16, 1<<17)
	for range 500 {
		step = AppendHashed(step, x.values[FactAccepted])
	}
	paths := []hotPath{
		{"hash/500 facts at once", func() { HashStep(step) }},
		{"hash/500 facts streamed", func() {
			h.Begin(Hash{})
			for range 500 {
				h.Add(x.values[FactAccepted])
			}
			h.Sum()
		}},
		{"hash/split", func() { SplitStepHash(x.values[FactStepEnded]) }},
	}
	for _, kind := range hotKinds {
		name := pb.File_hongbao_invite_v1_fact_proto.Messages().ByName("Fact").Fields().ByNumber(protowire.Number(kind)).TextName()
		paths = append(paths,
			hotPath{"append/" + name, func() { buf = AppendFact(buf[:0], x.facts[kind]) }},
			hotPath{"decode/" + name, func() { must(f.Decode(x.values[kind])) }})
	}
	return paths
}

func (x *hotFixture) codePaths() []hotPath {
	var c Code
	var buf []byte
	next := 0
	return []hotPath{
		{"code/mint", func() {
			buf = x.minter.Append(buf[:0], Code{Campaign: 1, Chain: 1 << 62, Inviter: 1 << 61, ExpiresS: 4102444800})
		}},
		{"code/verify, hit", func() {
			if x.verifier.Verify(x.code, &c) != CodeGood {
				panic("not good")
			}
		}},
		{"code/verify, miss", func() {
			if x.coldVerifier.Verify(x.coldCodes[next&0xffff], &c) != CodeGood {
				panic("not good")
			}
			next++
		}},
	}
}

// The hot path allocates nothing: at 200,000 events/s one allocation an event would keep the collector busy.
func TestHotPathAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun panics in a parallel test
	for _, path := range newHotFixture(t).paths() {
		if allocs := testing.AllocsPerRun(100, path.run); allocs != 0 {
			t.Errorf("%s: %v allocations", path.name, allocs)
		}
	}
}

func BenchmarkHotPath(b *testing.B) {
	for _, path := range newHotFixture(b).paths() {
		b.Run(path.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				path.run()
			}
		})
	}
}
