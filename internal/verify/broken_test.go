package verify

import (
	"slices"
	"testing"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// damage is one change to a good log, the check that must name it and a piece of its sentence.
// before changes what hongbao would have written (seq and hashes are made after it), after changes
// the records themselves.
type damage struct {
	name   string
	check  Check
	says   string
	before func(*scenario)
	after  func(*scenario, *memLog)
}

func runDamages(t *testing.T, damages []damage) {
	t.Helper()
	for _, d := range damages {
		t.Run(string(d.check)+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			sc := newScenario(t)
			if d.before != nil {
				d.before(sc)
			}
			log := sc.build()
			if d.after != nil {
				d.after(sc, log)
			}
			r := mustRun(t, config(log))
			if r.OK || !has(r, d.check, d.says) {
				t.Errorf("want check %s to say %q; report:\n%s", d.check, d.says, printed(t, r))
			}
		})
	}
}

func facts(l *memLog) *[]*topiclog.Record { return &l.topics[schemas.TopicFacts][0] }

func edit(r *topiclog.Record) *topiclog.Record {
	c := *r
	c.Value = slices.Clone(r.Value)
	return &c
}

func TestInputsBroken(t *testing.T) {
	t.Parallel()
	const cycle, unknown = pb.Reason_REASON_CYCLE, pb.Reason_REASON_UNKNOWN_INVITER
	runDamages(t, []damage{
		{
			name: "verdict dropped", check: CheckInputs, says: "neither a verdict nor a dead letter",
			before: func(sc *scenario) { sc.p.drop(sc.p.refused(cycle)) },
		},
		{
			name: "verdict doubled", check: CheckInputs, says: "a second verdict",
			before: func(sc *scenario) { sc.p.double(sc.p.refused(cycle)) },
		},
		{
			name: "verdicts swapped", check: CheckInputs, says: "out of order",
			before: func(sc *scenario) { sc.p.swap(sc.p.refused(cycle), sc.p.refused(unknown)) },
		},
		{
			name: "verdict names another event", check: CheckInputs, says: "does not tell its ce_source and ce_id",
			before: func(sc *scenario) { sc.p.refused(cycle).f.Verdict.ID = []byte("event-77") },
		},
		{
			name: "verdict has another time", check: CheckInputs, says: "does not tell its event_time_ms",
			before: func(sc *scenario) { sc.p.refused(cycle).f.Verdict.TimeMS++ },
		},
		{
			name: "verdict has another user", check: CheckInputs, says: "does not tell its user",
			before: func(sc *scenario) { sc.p.refused(cycle).f.Verdict.User++ },
		},
		{
			name: "verdict has another inviter", check: CheckInputs, says: "does not tell its inviter",
			before: func(sc *scenario) { sc.p.refused(cycle).f.Verdict.Inviter++ },
		},
		{
			name: "verdict has another kind", check: CheckInputs, says: "does not tell its kind",
			before: func(sc *scenario) { sc.p.refused(cycle).f.Verdict.Event = schemas.EventShare },
		},
		{
			name: "verdict has another amount", check: CheckInputs, says: "does not tell its amount",
			before: func(sc *scenario) { sc.bought.f.Verdict.AmountMinor++ },
		},
		{
			name: "verdict has another expiry", check: CheckInputs, says: "does not tell its code's expiry",
			before: func(sc *scenario) { sc.p.kind(schemas.FactAccepted, 0).f.Verdict.CodeExpiresS++ },
		},
		{
			name: "verdict on nothing", check: CheckInputs, says: "where no committed record is",
			before: func(sc *scenario) { sc.p.refused(cycle).f.Verdict.Offset++ },
		},
		{
			name: "event lost", check: CheckInputs, says: "where no committed record is",
			before: func(sc *scenario) { sc.p.events = slices.Delete(sc.p.events, 5, 6) },
		},
		{
			name: "event out of nowhere", check: CheckInputs, says: "neither a verdict nor a dead letter",
			before: func(sc *scenario) {
				r := edit(sc.p.events[5])
				r.Offset++
				sc.p.events = slices.Insert(sc.p.events, 6, r)
			},
		},
		{
			name: "event misrouted and judged", check: CheckInputs, says: "it is for invite.dead: MISROUTED",
			after: func(sc *scenario, l *memLog) {
				r := edit(l.topics[schemas.TopicEvents][0][5])
				r.Key = schemas.AppendKey(nil, sc.t)
				l.topics[schemas.TopicEvents][0][5] = r
			},
		},
		{
			name: "position beyond the verdicts", check: CheckInputs, says: "neither a verdict nor a dead letter",
			before: func(sc *scenario) { sc.share(sc.p, sc.s, sc.s, 60); sc.p.end() },
		},
		{
			name: "position below the verdicts", check: CheckInputs, says: "the position of invite.events is",
			before: func(sc *scenario) { sc.p.kind(schemas.FactStepEnded, 1).f.Step.Positions[schemas.TopicEvents] -= 3 },
		},
		{
			name: "event of the future judged", check: CheckInputs, says: "was judged at worker clock",
			before: func(sc *scenario) { sc.p.kind(schemas.FactStepEnded, 0).f.Step.WorkerClockMS = sc.at(-3) },
		},
	})
}

func TestDeadLettersBroken(t *testing.T) {
	t.Parallel()
	runDamages(t, []damage{
		{
			name: "dead letter dropped", check: CheckInputs, says: "neither a verdict nor a dead letter",
			before: func(sc *scenario) { sc.inviteDead = sc.inviteDead[1:] },
		},
		{
			name: "dead letter doubled", check: CheckInputs, says: "is the second one about offset",
			before: func(sc *scenario) { sc.inviteDead = append(sc.inviteDead, sc.inviteDead[0]) },
		},
		{
			name: "dead letter with a false reason", check: CheckInputs, says: "was buried as NO_KEY; true is: UNDECODABLE",
			before: func(sc *scenario) { sc.inviteDead[0].Reason = pb.Reason_REASON_NO_KEY },
		},
		{
			name: "dead letter with another value", check: CheckInputs, says: "does not carry the key and value",
			before: func(sc *scenario) { sc.inviteDead[0].Value = []byte("other") },
		},
		{
			name: "dead letter with another digest", check: CheckInputs, says: "does not carry the key and value",
			before: func(sc *scenario) { sc.inviteDead[7].ValueSha256[3]++ },
		},
		{
			name: "dead letter about a sound event", check: CheckInputs, says: "true is: none, it is sound",
			before: func(sc *scenario) {
				f := sc.p.refused(pb.Reason_REASON_CYCLE)
				d := sc.letterAt(f.f.Verdict.Offset, pb.Reason_REASON_UNDECODABLE)
				sc.inviteDead = append(sc.inviteDead, d)
				sc.p.drop(f)
			},
		},
		{
			name: "verdict and dead letter", check: CheckInputs, says: "has a verdict and a dead letter",
			before: func(sc *scenario) {
				sc.inviteDead = append(sc.inviteDead, sc.letterAt(0, pb.Reason_REASON_UNDECODABLE))
			},
		},
		{
			name: "dead letter about nothing", check: CheckInputs, says: "holds no record or has been answered",
			before: func(sc *scenario) {
				sc.inviteDead = append(sc.inviteDead, &pb.DeadLetter{OriginTopic: "invite.events", OriginOffset: 1})
			},
		},
		{
			name: "dead letter about what was not read", check: CheckInputs, says: "the committed offset is",
			before: func(sc *scenario) {
				sc.inviteDead = append(sc.inviteDead, &pb.DeadLetter{OriginTopic: "invite.events", OriginOffset: 100_000})
			},
		},
		{
			name: "dead letter of no topic", check: CheckInputs, says: "as its origin",
			before: func(sc *scenario) { sc.inviteDead[0].OriginTopic = "invite" },
		},
		{
			name: "called of the future and is not", check: CheckInputs, says: "was called FUTURE_TIME",
			before: func(sc *scenario) {
				f := sc.p.refused(pb.Reason_REASON_CYCLE)
				sc.inviteDead = append(sc.inviteDead, sc.letterAt(f.f.Verdict.Offset, pb.Reason_REASON_FUTURE_TIME))
				sc.p.drop(f)
			},
		},
		{
			name: "garbage in invite.dead", check: CheckInputs, says: "is no dead letter",
			after: func(_ *scenario, l *memLog) {
				for p := range l.topics[schemas.TopicInviteDead] {
					for i, r := range l.topics[schemas.TopicInviteDead][p] {
						r = edit(r)
						r.Value = []byte{0xff}
						l.topics[schemas.TopicInviteDead][p][i] = r
					}
				}
			},
		},
	})
}

func (sc *scenario) letterAt(offset int64, reason schemas.Reason) *pb.DeadLetter {
	i := slices.IndexFunc(sc.p.events, func(r *topiclog.Record) bool { return r.Offset == offset })
	r := sc.p.events[i]
	return &pb.DeadLetter{OriginTopic: "invite.events", OriginOffset: offset, Key: r.Key, Value: r.Value, ValueBytes: int64(len(r.Value)), Reason: reason}
}

func TestFactsBroken(t *testing.T) {
	t.Parallel()
	runDamages(t, []damage{
		{
			name: "fact dropped", check: CheckFacts, says: "seq 6 follows seq 4",
			after: func(_ *scenario, l *memLog) { *facts(l) = slices.Delete(*facts(l), 4, 5) },
		},
		{
			name: "fact doubled", check: CheckFacts, says: "seq 5 follows seq 5",
			after: func(_ *scenario, l *memLog) { *facts(l) = slices.Insert(*facts(l), 5, (*facts(l))[4]) },
		},
		{
			name: "facts swapped", check: CheckFacts, says: "seq 6 follows seq 4",
			after: func(_ *scenario, l *memLog) { f := *facts(l); f[4], f[5] = f[5], f[4] },
		},
		{
			name: "fact changed", check: CheckFacts, says: "the running hash is",
			after: func(_ *scenario, l *memLog) {
				r := edit((*facts(l))[1])
				var f schemas.Fact
				if err := f.Decode(r.Value); err != nil {
					panic(err)
				}
				f.Verdict.Counted = true
				r.Value = schemas.AppendFact(nil, &f)
				(*facts(l))[1] = r
			},
		},
		{
			name: "fact garbage", check: CheckFacts, says: "is no fact",
			after: func(_ *scenario, l *memLog) {
				r := edit((*facts(l))[3])
				r.Value = []byte{0xff}
				(*facts(l))[3] = r
			},
		},
		{
			name: "fact under another key", check: CheckFacts, says: "the fact's key is",
			before: func(sc *scenario) { sc.joinA.key++ },
		},
		{
			name: "another producer in a step", check: CheckFacts, says: "producer 999 epoch 7 wrote this fact",
			after: func(_ *scenario, l *memLog) { (*facts(l))[2].ProducerID = 999 },
		},
		{
			name: "another epoch in a step", check: CheckFacts, says: "epoch 8 wrote this fact",
			after: func(_ *scenario, l *memLog) { (*facts(l))[2].ProducerEpoch = 8 },
		},
		{
			name: "the last facts lost", check: CheckFacts, says: "the facts end at seq",
			after: func(_ *scenario, l *memLog) { *facts(l) = (*facts(l))[:len(*facts(l))-1] },
		},
		{
			name: "facts beyond the metadata", check: CheckFacts, says: "lies beyond seq",
			after: func(_ *scenario, l *memLog) {
				r := edit((*facts(l))[len(*facts(l))-1])
				r.Offset++
				*facts(l) = append(*facts(l), r)
			},
		},
		{
			name: "facts without a committed offset", check: CheckFacts, says: "lies beyond seq 0",
			before: func(sc *scenario) { sc.noCommits = true },
		},
		{
			name: "a clock that goes back", check: CheckFacts, says: "the worker clock goes back",
			before: func(sc *scenario) { sc.p.kind(schemas.FactStepEnded, 1).f.Step.WorkerClockMS = 5 },
		},
		{
			name: "a position that goes back", check: CheckFacts, says: "the position of coupon.retry.1s goes back from 8 to 0",
			before: func(sc *scenario) { sc.p.kind(schemas.FactStepEnded, 1).f.Step.Positions[schemas.TopicRetry1s] = 8 },
		},
		{
			name: "a wrong count", check: CheckFacts, says: "facts, StepEnded says 99",
			before: func(sc *scenario) { sc.p.kind(schemas.FactStepEnded, 1).f.Step.Facts = 99 },
		},
		{
			name: "a hash that is not the metadata's", check: CheckFacts, says: "the committed metadata says",
			after: metadata(func(m *schemas.Metadata) { m.Hash[0]++ }),
		},
		{
			name: "a clock that is not the metadata's", check: CheckFacts, says: "the last StepEnded has clock",
			after: metadata(func(m *schemas.Metadata) { m.ClockMS++ }),
		},
		{
			name: "positions that are not the metadata's", check: CheckFacts, says: "the last StepEnded has positions",
			after: metadata(func(m *schemas.Metadata) { m.Positions[schemas.TopicControl]++ }),
		},
		{
			name: "an offset that is not the metadata's", check: CheckFacts, says: "the committed offset is",
			after: func(_ *scenario, l *memLog) { l.commits[0].Offset-- },
		},
		{
			name: "metadata within a step", check: CheckFacts, says: "has no StepEnded",
			after: metadata(func(m *schemas.Metadata) { m.Seq-- }),
		},
		{
			name: "metadata of another program", check: CheckFacts, says: "does not read",
			after: func(_ *scenario, l *memLog) { l.commits[0].Metadata = "2 what" },
		},
	})
}

func metadata(change func(*schemas.Metadata)) func(*scenario, *memLog) {
	return func(sc *scenario, l *memLog) {
		m, err := schemas.ParseMetadata(l.commits[0].Metadata)
		if err != nil {
			sc.tb.Fatal(err)
		}
		change(&m)
		text, err := m.AppendText(nil)
		if err != nil {
			sc.tb.Fatal(err)
		}
		l.commits[0].Metadata = string(text)
	}
}
