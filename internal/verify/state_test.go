package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// What was sent and not read yet is lag: nothing is broken, and it is not ok either.
func TestLagIsNotOK(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	log := sc.build()
	for _, topic := range []schemas.Topic{schemas.TopicEvents, schemas.TopicCommands, schemas.TopicControl, schemas.TopicRetry5s} {
		r := &topiclog.Record{Offset: 100_000, Key: []byte("1"), Value: []byte("v")}
		if topic == schemas.TopicCommands {
			cmd := schemas.Command{Campaign: 1, Chain: sc.s, Beneficiary: sc.a, Coupon: []byte("five_off"), CommandID: []byte("c-9")}
			r.Key, r.Value = schemas.AppendKey(nil, sc.s), schemas.AppendCommand(nil, &cmd)
		}
		log.topics[topic][0] = append(log.topics[topic][0], r)
	}
	r := mustRun(t, config(log))
	if r.Lag != 4 || r.BrokenTotal != 0 || r.OK {
		t.Errorf("lag %d, ok %v; report:\n%s", r.Lag, r.OK, printed(t, r))
	}
}

// A reward whose command is dead and was not sent again is answered, and not paid: that is counted.
func TestUnpaidIsCounted(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	c := sc.coupons["welcome4"]
	for i := range c.facts {
		sc.p.drop(c.facts[i])
		sc.dropResult(c.results[i])
	}
	sc.p.commands = slices.DeleteFunc(sc.p.commands, func(cmd *wcommand) bool { return cmd.of == sc.lost[0].of && cmd.offset > sc.lost[1].offset })
	r := mustRun(t, config(sc.build()))
	if r.Unpaid != 1 || !r.OK || !strings.Contains(printed(t, r), "\nunpaid    1 rewards") {
		t.Errorf("unpaid %d, ok %v; report:\n%s", r.Unpaid, r.OK, printed(t, r))
	}
}

func TestOpenIsNotOK(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	c := sc.coupons["two1"]
	// It entered ISSUING by a redrive; take back what the issuer said.
	for range 2 {
		last := len(c.facts) - 1
		sc.p.drop(c.facts[last])
		sc.dropResult(c.results[last])
		c.facts, c.results = c.facts[:last], c.results[:last]
	}
	r := mustRun(t, config(sc.build()))
	if r.Open != 1 || r.Coupons["ISSUING"] != 1 || r.BrokenTotal != 0 || r.OK {
		t.Errorf("open %d, ok %v; report:\n%s", r.Open, r.OK, printed(t, r))
	}
}

// V4: retention has taken the first events; their verdicts are taken as given and counted.
func TestGoneEventsAreCounted(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	log := sc.build()
	log.starts[schemas.TopicEvents] = []int64{20, 0}
	r := mustRun(t, config(log))
	if r.Gone != 10 || !r.OK {
		t.Errorf("gone %d, ok %v; report:\n%s", r.Gone, r.OK, printed(t, r))
	}
}

// Without its key, which is secret or was dropped, a good code cannot be told from a forged one, but the code of somebody else can. How many are taken
// as the facts took them is said.
func TestWithoutCodeKeys(t *testing.T) {
	t.Parallel()
	others, err := schemas.ParseCodeKeys("keys", []byte("keys: [{id: 9, secret: "+base64.StdEncoding.EncodeToString(make([]byte, 32))+", mint: true}]"))
	if err != nil {
		t.Fatal(err)
	}
	c := config(newScenario(t).build())
	if r := mustRun(t, c); r.CodesUnchecked != 0 {
		t.Errorf("%d codes unchecked, under the key that minted them", r.CodesUnchecked)
	}
	c.Keys = others
	if r := mustRun(t, c); !r.OK || r.CodesUnchecked < r.SharesAccepted+r.JoinsAccepted {
		t.Errorf("report:\n%s", printed(t, r))
	}
	sc := newScenario(t)
	for _, f := range sc.p.facts {
		if v := &f.f.Verdict; f.f.Kind == schemas.FactRefused && v.Event == schemas.EventShare && v.Reason == pb.Reason_REASON_BAD_CODE {
			v.Reason = pb.Reason_REASON_SHARE_LIMIT
		}
	}
	c = config(sc.build())
	c.Keys = others
	if r := mustRun(t, c); !has(r, CheckGraph, "is SHARE_LIMIT; recomputed: BAD_CODE") {
		t.Errorf("report:\n%s", printed(t, r))
	}
}

// The demo key is published, so it signs nothing but the demo campaign's codes, whatever keys are given.
func TestDemoCodeElsewhere(t *testing.T) {
	t.Parallel()
	others, err := schemas.ParseCodeKeys("keys", []byte("keys: [{id: 9, secret: "+base64.StdEncoding.EncodeToString(make([]byte, 32))+", mint: true}]"))
	if err != nil {
		t.Fatal(err)
	}
	sc := newScenario(t)
	text := strings.Replace(string(sc.campaign.Text), "campaign: 1\n", "campaign: 8\n", 1)
	if sc.campaign, err = schemas.ParseCampaign("elsewhere.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	sc.p.activate()
	first := sc.p.userID(1)
	f := sc.p.accept(sc.share(sc.p, first, first, 60), 0)
	sc.p.end()
	c := config(sc.build())
	for _, c.Keys = range []*schemas.CodeKeys{others, schemas.DemoCodeKeys()} {
		if r := mustRun(t, c); !has(r, CheckGraph, "is ACCEPTED; recomputed: BAD_CODE") {
			t.Errorf("report:\n%s", printed(t, r))
		}
	}
	f.f.Kind, f.f.Verdict.Reason = schemas.FactRefused, pb.Reason_REASON_BAD_CODE
	c = config(sc.build())
	c.Keys = others
	if r := mustRun(t, c); !r.OK {
		t.Errorf("report:\n%s", printed(t, r))
	}
}

// movingLog is a living system: the early ends lie before the last step.
type movingLog struct {
	*memLog
	early  topiclog.Offsets
	asked  int
	failed error
}

func (l *movingLog) Bounds(ctx context.Context, d time.Duration) (topiclog.Offsets, topiclog.Offsets, error) {
	starts, ends, err := l.memLog.Bounds(ctx, d)
	l.asked++
	if l.asked == 1 {
		ends = l.early
	}
	return starts, ends, errors.Join(err, l.failed)
}

// V2: what was written after the committed offsets were read is not judged.
func TestLivingSystem(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	before := sc.build()
	_, early, err := before.Bounds(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	commits := before.commits
	// One more step: an event, a coupon that moves, results, a dead letter, a command.
	sc.p.record(schemas.AppendKey(nil, sc.s), []byte("\xff garbage"), "InviteJoined", "late")
	sc.p.bury(pb.Reason_REASON_UNDECODABLE)
	sc.joined(sc.p, sc.s, sc.s, 4001, 90, 1, 3)
	c := sc.coupons["l12"]
	c.state = sFailed
	c.move(pb.CouponEvent_COUPON_EVENT_REDRIVE, sIssuing, 0)
	c.state = sIssuing
	c.die(pb.CouponEvent_COUPON_EVENT_ISSUER_REFUSES, pb.Reason_REASON_ISSUER_REJECTED)
	sc.p.end()
	after := sc.build()
	after.commits = commits
	r := mustRun(t, config(&movingLog{memLog: after, early: early}))
	if !r.OK {
		t.Errorf("report:\n%s", printed(t, r))
	}
	// The same records below the early ends are broken.
	if r = mustRun(t, config(after)); r.OK || !has(r, CheckFacts, "lies beyond seq") || !has(r, CheckRewards, "has no reward") {
		t.Errorf("report:\n%s", printed(t, r))
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	got := map[int64]User{}
	c := config(sc.build())
	c.Users = func(u User) { got[u.ID] = u }
	mustRun(t, c)
	for _, want := range []User{
		{1, sc.s, sc.s, 0, 0, 2, 4},
		{1, sc.s, sc.a, sc.s, 1, 1, 2},
		{1, sc.s, sc.b, sc.s, 1, 0, 0},
		{1, sc.s, sc.c, sc.a, 2, 1, 1},
		{1, sc.s, sc.d, sc.c, 3, 0, 0},
		{1, sc.t, sc.t, 0, 0, 1, 1},
		{1, sc.t, sc.z, sc.t, 1, 0, 0},
	} {
		if got[want.ID] != want {
			t.Errorf("user %d is %+v, want %+v", want.ID, got[want.ID], want)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d users", len(got))
	}
}

// A higher version takes effect at its seq, and never pays again what an older one has paid.
func TestNewVersion(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	text := strings.Replace(string(sc.campaign.Text), "version: 3", "version: 4", 1)
	text = strings.Replace(text, "every: 2", "every: 3", 1)
	next, err := schemas.ParseCampaign("version 4", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	sc.campaign = next
	p := sc.p
	p.activate()
	first := len(p.commands)
	join := func(user int64) *wfact {
		trigger := "J:" + itoa(user)
		return p.accept(sc.join(p, sc.s, sc.s, user, 95), 1, sc.reward("welcome", user, 0, trigger), sc.reward("l1", sc.s, 1, trigger))
	}
	join(5001) // s has three: the first multiple, whose coupon was paid under version 3
	p.end()
	for _, cmd := range p.commands[first:] {
		p.coupon(cmd).issue()
	}
	p.end()
	if r := mustRun(t, config(sc.build())); !r.OK {
		t.Errorf("report:\n%s", printed(t, r))
	}
}

func TestErrorsAreNotFindings(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Config{Group: group}); err == nil {
		t.Error("ran without a log")
	}
	if _, err := Run(t.Context(), Config{Log: &memLog{}}); err == nil {
		t.Error("ran without a group")
	}
	lost := errors.New("lost")
	c := config(&movingLog{memLog: newScenario(t).build(), failed: lost})
	if _, err := Run(t.Context(), c); !errors.Is(err, lost) {
		t.Errorf("error is %v", err)
	}
	broken := newScenario(t).build()
	broken.failing = schemas.TopicFacts
	if _, err := Run(t.Context(), config(broken)); !errors.Is(err, errRead) {
		t.Errorf("error is %v", err)
	}
	uneven := newScenario(t).build()
	uneven.commits = uneven.commits[:1]
	if _, err := Run(t.Context(), config(uneven)); err == nil || !strings.Contains(err.Error(), "partitions") {
		t.Errorf("error is %v", err)
	}
}

func TestKeptFindingsAreBounded(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	sc.inviteDead = nil
	c := config(sc.build())
	c.KeepBroken = 2
	r := mustRun(t, c)
	if len(r.Broken) != 2 || r.BrokenTotal != 8 || !strings.Contains(printed(t, r), "and 6 more") {
		t.Errorf("kept %d of %d:\n%s", len(r.Broken), r.BrokenTotal, printed(t, r))
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	c := config(newScenario(t).build())
	var shown []int64
	c.Progress = func(done, total int64) { shown = append(shown, done, total) }
	r := mustRun(t, c)
	if n := len(shown); n == 0 || shown[n-2] != r.Facts || shown[n-1] != r.Facts || !slices.IsSorted(shown[:1]) {
		t.Errorf("progress %v of %d facts", shown, r.Facts)
	}
}

// TestUsedVoucherOfReversedOrder: what was used before the refund is listed, and broken by nothing (domain.md section 6).
func TestUsedVoucherOfReversedOrder(t *testing.T) {
	t.Parallel()
	sc := newScenario(t)
	c := sc.coupons["buy1"]
	last := len(c.facts) - 1
	sc.p.drop(c.facts[last]) // the refund's revocation
	sc.dropResult(c.results[last])
	c.n, c.voucher = c.n-1, vIssued
	c.vmove(pb.VoucherEvent_VOUCHER_EVENT_REDEEM, vUsed, "voucher_used", 0)
	sc.p.end()
	r := mustRun(t, config(sc.build()))
	if want := hex(c.id[:]); r.UsedReversedTotal != 1 || len(r.UsedReversed) != 1 || r.UsedReversed[0] != want {
		t.Errorf("listed are %d: %v, want %s", r.UsedReversedTotal, r.UsedReversed, want)
	}
	if text := printed(t, r); !strings.Contains(text, "used      1 vouchers of reversed orders") {
		t.Error(text)
	}
}
