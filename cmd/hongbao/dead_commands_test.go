package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hongbao/internal/topiclog"
	"hongbao/internal/verify"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// lostJoins is how many join the chain whose commands are lost.
const lostJoins = 30

// rotation is a change of keys while commands still wait, of one campaign's rewards.
type rotation struct {
	name          string
	campaign      int64
	before, after []string
}

// newKeys are other keys than testKeys, and do not have theirs.
const newKeys = `HONGBAO_CODE_KEYS={"keys": [{"id": 8, "secret": "YW5vdGhlciBzZWNyZXQsIGFzIGxvbmc=", "mint": true}]}`

func rotations(t *testing.T) []rotation {
	t.Helper()
	seven := filepath.Join(t.TempDir(), "seven.yaml")
	if err := os.WriteFile(seven, []byte(campaignText(7, 1, 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	campaigns := "HONGBAO_CAMPAIGNS=" + seven
	return []rotation{
		{"from the demo key into production", schemas.DemoCampaignID, nil, []string{testKeys}},
		{"a key is dropped too early", 7, []string{testKeys, campaigns}, []string{newKeys, campaigns}},
	}
}

// loseCommands lets facts grant rewards under the keys before, and most of their commands be read under those after. It leaves no instance.
func (s *stage) loseCommands(r *rotation) {
	s.t.Helper()
	const chain = reviewChain
	live, keys := s.env, schemas.DemoCodeKeys()
	if r.before != nil {
		var err error
		if keys, err = schemas.ParseCodeKeys("keys", []byte(strings.TrimPrefix(r.before[0], codeKeysEnv+"="))); err != nil {
			s.t.Fatal(err)
		}
	}
	code := keys.Mint(schemas.Code{Campaign: r.campaign, Chain: chain, Inviter: chain, ExpiresS: schemas.DemoCampaign().EndsMS / 1000})
	event := func(id, kind, data string) topiclog.Record {
		return topiclog.Record{Key: schemas.AppendKey(nil, chain), Value: fmt.Appendf(nil,
			`{"specversion":"1.0","id":%q,"source":"/lost","type":"hongbao.invite.v1.%s","data":{"event_time_ms":%d,%s,"code":%q}}`,
			id, kind, schemas.DemoCampaign().StartsMS+1, data, code)}
	}
	events := []topiclog.Record{event("share", "ShareCreated", fmt.Sprintf(`"campaign":%d,"chain":%d,"user":%[2]d`, r.campaign, chain))}
	for i := range lostJoins {
		events = append(events, event(fmt.Sprint("join ", i), "InviteJoined", fmt.Sprintf(`"invitee":%d`, 9000+i)))
	}
	s.write(schemas.TopicEvents, events...)
	s.env = append(append([]string{"HONGBAO_OPEN_MAX=1", "HONGBAO_ISSUE_RATE=1"}, r.before...), live...) // commands wait in Kafka
	stop := s.serve("a")
	s.until("every join has its verdict", func() bool { return s.report().JoinsAccepted == lostJoins })
	stop()
	s.env = slices.Concat(r.after, live)
	stop = s.serve("a")
	s.verified() // a dead letter is an answer
	stop()
}

func (s *stage) report() (r verify.Report) {
	s.t.Helper()
	s.do(&r, "verify")
	return r
}

// paid counts the coupons that the facts leave COMPLETED, and the rewards that have none; there are no others.
func (s *stage) paid() (completed, unpaid int64) {
	s.t.Helper()
	r := s.report()
	completed = r.Coupons["COMPLETED"]
	if completed > 0 && len(r.Coupons) > 1 || completed == 0 && len(r.Coupons) > 0 {
		s.t.Fatalf("coupons %v; want nothing but COMPLETED", r.Coupons)
	}
	return completed, r.Unpaid
}

// written counts the records of coupon.commands.
func (s *stage) written() (n int64) {
	s.t.Helper()
	err := s.log.Read(s.t.Context(), schemas.TopicCommands, topiclog.ReadOptions{}, func(*topiclog.Record) error {
		n++
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// A granted reward whose command was read under other keys is a dead letter; sent again it is paid, once.
func TestDeadCommands(t *testing.T) {
	t.Parallel()
	for _, r := range rotations(t) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.loseCommands(&r)
			granted := s.written()
			paid, lost := s.paid()
			var dead deadCommandsAnswer
			s.must(&dead, "dead", "list", "--commands")
			if int64(len(dead.Commands)) != lost || lost == 0 || paid+lost != granted {
				t.Fatalf("%d granted, %d paid, %d lost, dead: %d", granted, paid, lost, len(dead.Commands))
			}
			c := dead.Commands[0]
			if c.Reason != "INVALID_FIELD" || !strings.Contains(c.Sentence, "did not sign") || c.Refusal != "" {
				t.Errorf("dead command: %+v", c)
			}

			var sent deadCommandsAnswer
			s.must(&sent, "dead", "redrive", "--commands", "--letter", c.Letter)
			if *sent.Sent != 1 || !*sent.OK || sent.Commands[0].Letter != c.Letter {
				t.Errorf("one letter: %+v", sent)
			}
			// Nobody reads in between: each is there two times, the first a third time.
			for range 2 {
				s.must(&sent, "dead", "redrive", "--commands", "--all", "--reason", "INVALID_FIELD")
				if int64(*sent.Sent) != lost {
					t.Errorf("sent %d of %d", *sent.Sent, lost)
				}
			}
			s.serve("a")
			s.verified()
			if now, unpaid := s.paid(); now != granted || unpaid != 0 || s.written() != granted+2*lost+1 {
				t.Errorf("%d coupons are COMPLETED, %d rewards unpaid, %d granted", now, unpaid, granted)
			}
			s.must(&sent, "dead", "redrive", "--commands", "--all", "--reason", "INVALID_FIELD")
			if *sent.Sent != 0 {
				t.Errorf("sent once more: %+v", sent)
			}
			s.refused("has that name", "dead", "redrive", "--commands", "--letter", c.Letter)
		})
	}
}

// What is signed is what a fact grants, whatever a letter says.
func TestDeadCommandsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.loseCommands(&rotations(t)[1])
	granted := s.written()
	_, lost := s.paid()
	var last []byte // a command whose coupon was not made
	err := s.log.Read(t.Context(), schemas.TopicCommands, topiclog.ReadOptions{}, func(r *topiclog.Record) error {
		last = r.Value
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	forgeries := []struct {
		change  func(*schemas.Command)
		refusal string
	}{
		{func(c *schemas.Command) { c.CouponID[0]++ }, "grants 1 coupons, and none is"},
		{func(c *schemas.Command) { c.FactSeq = 1 }, "has no accepted fact of seq 1;"},
		{func(c *schemas.Command) { c.ValueMinor++ }, "its value_minor is 501, the fact of seq"},
		{func(*schemas.Command) {}, ""}, // in a genuine one's words
	}
	for _, f := range forgeries {
		var cmd schemas.Command
		if err := cmd.Decode(last); err != nil {
			t.Fatal(err)
		}
		f.change(&cmd)
		s.write(schemas.TopicCommands, topiclog.Record{Key: schemas.AppendKey(nil, cmd.Chain), Value: schemas.AppendCommand(nil, &cmd)})
	}
	stop := s.serve("a")
	s.verified()
	stop()
	var dead, sent deadCommandsAnswer
	s.must(&dead, "dead", "list", "--commands")
	if len(dead.Commands) != int(lost)+len(forgeries) {
		t.Fatalf("%d dead commands, %d lost and %d forged", len(dead.Commands), lost, len(forgeries))
	}
	for i, c := range dead.Commands[lost:] {
		if want := forgeries[i].refusal; !strings.Contains(c.Refusal, want) || (want == "") != (c.Refusal == "") {
			t.Errorf("refused with %q, want %q", c.Refusal, want)
		} else if want != "" {
			s.refused(want, "dead", "redrive", "--commands", "--letter", c.Letter)
		}
	}
	live := s.env
	s.env = live[1:]
	s.refused("published demo key", "dead", "redrive", "--commands", "--all", "--reason", "INVALID_FIELD")
	s.env = live
	s.refused("and not both", "dead", "redrive", "--commands")
	s.refused("choose coupons", "dead", "redrive", "--commands", "--all", "--reason", "INVALID_FIELD", "--campaign", "7")
	s.must(&sent, "dead", "redrive", "--commands", "--all", "--reason", "INVALID_FIELD")
	if int64(*sent.Sent) != lost {
		t.Errorf("sent %d, want the %d that were lost, each once", *sent.Sent, lost)
	}
	s.serve("a")
	s.verified()
	if now, unpaid := s.paid(); now != granted || unpaid != 0 {
		t.Errorf("%d coupons are COMPLETED, %d unpaid, %d granted", now, unpaid, granted)
	}
}

// A command is granted whole: no field of it may differ.
func TestCommandDiffers(t *testing.T) {
	t.Parallel()
	granted := schemas.Command{FactSeq: 7}
	if got := differs(&granted, &granted); got != "" {
		t.Errorf("of itself: %q", got)
	}
	for name, said := range map[string]schemas.Command{
		"campaign": {Campaign: 2}, "chain": {Chain: 2}, "beneficiary": {Beneficiary: 2}, "coupon": {Coupon: []byte("x")}, "rule_id": {Rule: []byte("x")},
		"value_minor": {ValueMinor: 2}, "currency": {Currency: []byte("x")}, "valid_for_ms": {ValidForMS: 2}, "order_id": {OrderID: []byte("x")},
		"traceparent": {Trace: []byte("x")},
	} {
		if got := differs(&said, &granted); !strings.HasPrefix(got, "its "+name+" is ") || !strings.Contains(got, "the fact of seq 7 grants") {
			t.Errorf("another %s: %q", name, got)
		}
	}
}

// A coupon is worth what the version says that was in force when it was granted, in that partition.
func TestGrantOfEarlierVersion(t *testing.T) {
	t.Parallel()
	l := newFactLog(3)
	activate := func(version int, text string) {
		l.add(&schemas.Fact{Kind: schemas.FactCampaignActivated, Rare: &pb.Fact{Body: &pb.Fact_CampaignActivated{CampaignActivated: &pb.CampaignActivated{
			Campaign: 7, Version: int64(version), Text: text,
		}}}})
	}
	first := campaignText(7, 1, 1)
	activate(1, first)
	reward := schemas.Reward{Rule: []byte("welcome"), Beneficiary: 5, Coupon: []byte("gift"), CouponID: schemas.CouponID{1}}
	l.add(&schemas.Fact{Kind: schemas.FactAccepted, Verdict: schemas.Verdict{
		Event: schemas.EventJoin, Source: []byte("/s"), ID: []byte("1"), TimeMS: 1, Campaign: 7, Chain: 9, User: 5, Inviter: 9, Rewards: []schemas.Reward{reward},
	}})
	activate(2, strings.ReplaceAll(strings.Replace(first, "version: 1", "version: 2", 1), "value_minor: 500", "value_minor: 900"))
	said := schemas.Command{
		CouponID: reward.CouponID, HasCouponID: true, Campaign: 7, Chain: 9, Beneficiary: 5, Coupon: reward.Coupon, Rule: reward.Rule, FactSeq: 2,
		ValueMinor: 500, Currency: []byte("CNY"), ValidForMS: 720 * 3600_000,
	}
	here, elsewhere := &deadCommand{said: said, FactSeq: 2}, &deadCommand{said: said, FactSeq: 2, Refusal: "no such fact"}
	here.OriginPartition, elsewhere.OriginPartition = 3, 4
	g := newGrantReading([]*deadCommand{here, elsewhere})
	for i := range l.records {
		if err := g.read(&l.records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if here.Refusal != "" || here.granted.ValueMinor != 500 || elsewhere.Refusal != "no such fact" {
		t.Errorf("refused with %q, worth %d; elsewhere %q", here.Refusal, here.granted.ValueMinor, elsewhere.Refusal)
	}
}
