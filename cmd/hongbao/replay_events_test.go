package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/replay"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// The rules of the cascade below, before and after.
const (
	whatIfBefore = `campaign: 1
version: 1
starts: 2000-01-01T00:00:00Z
ends: 2100-01-01T00:00:00Z
coupons:
  five: {stock: 1000, valid_for: 720h, value_minor: 500, currency: CNY}
rewards:
  - {id: welcome, on: join, to: invitee, coupon: five}
  - {id: l1, on: join, to: level, level: 1, coupon: five}
  - {id: buy, on: purchase, min_minor: 5000, to: level, level: 1, coupon: five}
`
	whatIfAfter = `campaign: 1
version: 2
starts: 2000-01-01T00:00:00Z
ends: 2100-01-01T00:00:00Z
max_depth: 1
beyond: refuse
coupons:
  five: {stock: 2, valid_for: 720h, value_minor: 300, currency: CNY}
rewards:
  - {id: welcome, on: join, to: invitee, coupon: five}
  - {id: two, on: direct_joins, every: 2, repeat: true, to: inviter, coupon: five}
  - {id: buy, on: purchase, min_minor: 20000, to: level, level: 1, coupon: five}
`
)

// cascadeEvents are events of one small tree, in order:
//
//	1001 shares; 1002 and 1003 join by 1001; 1002 shares; 1004 joins by 1002; 1002 buys for 100.00, 1004 for 300.00
func cascadeEvents() []topiclog.Record {
	const chain = 1001
	now := time.Now()
	code := func(inviter int64) string {
		return schemas.DemoCodeKeys().Mint(schemas.Code{Campaign: 1, Chain: chain, Inviter: inviter, ExpiresS: now.Add(time.Hour).Unix()})
	}
	var all []topiclog.Record
	add := func(kind, data string) {
		all = append(all, topiclog.Record{Key: []byte("1001"), Value: fmt.Appendf(nil,
			`{"specversion":"1.0","id":"e%d","source":"/test","type":"hongbao.invite.v1.%s","data":{"event_time_ms":%d,%s}}`, len(all), kind, now.UnixMilli(), data)})
	}
	share := func(user int64) {
		add("ShareCreated", fmt.Sprintf(`"campaign":1,"chain":%d,"user":%d,"code":%q`, chain, user, code(user)))
	}
	join := func(inviter, invitee int64) {
		add("InviteJoined", fmt.Sprintf(`"code":%q,"invitee":%d`, code(inviter), invitee))
	}
	buy := func(buyer, minor int64) {
		add("PurchaseSettled", fmt.Sprintf(`"campaign":1,"chain":%d,"buyer":%d,"order_id":"o%d","amount_minor":%d,"currency":"CNY"`, chain, buyer, buyer, minor))
	}
	share(1001)
	join(1001, 1002)
	join(1001, 1003)
	share(1002)
	join(1002, 1004)
	buy(1002, 10_000)
	buy(1004, 30_000)
	return all
}

// TestWhatIf computes a payout diff by hand. Before: welcome to 1002, 1003, 1004; l1 twice to 1001, once to 1002; buy to 1001 and
// 1002, 500 each: 1001 gets 1500, 1002 gets 1500, 1003 and 1004 get 500 each. After: 1004's join is beyond depth 1, so its
// purchase is an unknown user's, and 1002's is too small: welcome 300 to 1002 and 1003, and 1001 gets 300 for two direct joins.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, after := s.file("before.yaml", whatIfBefore), s.file("after.yaml", whatIfAfter)
	s.env = append(s.env, "HONGBAO_CAMPAIGNS="+before)
	s.serveAt("a")
	s.write(schemas.TopicEvents, cascadeEvents()...)
	s.until("7 verdicts", func() bool {
		var same whatIfAnswer
		code, _ := s.do(&same, "replay", "events", "--campaign", before)
		return code == exitDone && same.Events == 7
	})
	s.settled()

	var same whatIfAnswer
	s.must(&same, "replay", "events", "--campaign", before)
	if same.Changed != 0 || len(same.Largest) != 0 || same.Totals[0].BeforeMinor != 4000 || same.Totals[0].AfterMinor != 4000 || !maps.Equal(same.Before, same.After) {
		t.Errorf("under the file that was in force: %+v", same.WhatIfReport)
	}

	var diff whatIfAnswer
	s.must(&diff, "replay", "events", "--campaign", after)
	if want := (replay.Verdicts{"ACCEPTED": 5, "DEPTH_EXCEEDED": 1, "UNKNOWN_USER": 1}); diff.Changed != 2 || !maps.Equal(diff.After, want) {
		t.Errorf("%d changed, %v; want 2, %v", diff.Changed, diff.After, want)
	}
	var users []string
	for _, u := range diff.Largest {
		users = append(users, fmt.Sprintf("%d: %d -> %d", u.User, u.BeforeMinor, u.AfterMinor))
	}
	if got, want := strings.Join(users, ", "), "1001: 1500 -> 300, 1002: 1500 -> 300, 1004: 500 -> 0, 1003: 500 -> 300"; got != want {
		t.Errorf("largest changes: %s; want %s", got, want)
	}
	var rules []string
	for _, r := range diff.Rules {
		rules = append(rules, fmt.Sprintf("%s: %d %d -> %d %d", r.Rule, r.BeforeCount, r.BeforeMinor, r.AfterCount, r.AfterMinor))
	}
	if got, want := strings.Join(rules, ", "), "buy: 2 1000 -> 0 0, l1: 3 1500 -> 0 0, two: 0 0 -> 1 300, welcome: 3 1500 -> 2 600"; got != want {
		t.Errorf("rules: %s; want %s", got, want)
	}
	if use := diff.Stock[0]; use.Declared != 2 || use.Granted != 3 {
		t.Errorf("stock: %+v, want 3 of 2", use)
	}
	s.printsWhatIf(after)
	s.refused("--campaign: name the campaign file", "replay", "events")
	s.refused("its code", "replay", "events", "--campaign", after, "--code-keys", s.file("keys.json", strings.TrimPrefix(testKeys, "HONGBAO_CODE_KEYS=")))

	s.retention(schemas.AppendKey(nil, 1001), 3)
	s.refused("retention has removed events", "replay", "events", "--campaign", after)
	// The first share and the first two joins stand, with two welcomes and two l1 of 500 each; nothing else is granted.
	var kept whatIfAnswer
	s.must(&kept, "replay", "events", "--campaign", after, "--keep-prefix")
	if got := kept.Totals[0]; kept.Kept != 3 || got.BeforeMinor != 4000 || got.AfterMinor != 2000 {
		t.Errorf("with the prefix kept: %d kept, %+v; want 3 and 4000 -> 2000", kept.Kept, got)
	}
}

// retention removes the first n events of the partition that owns a key.
func (s *stage) retention(key []byte, n int64) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	var gone kadm.Offsets
	gone.AddOffset(s.log.Name(schemas.TopicEvents), schemas.Partition(key, partitions), n, -1)
	answers, err := kadm.NewClient(cl).DeleteRecords(s.t.Context(), gone)
	if err = errors.Join(err, answers.Error()); err != nil {
		s.t.Fatal(err)
	}
}

// printsWhatIf looks at the forms for people and for spreadsheets.
func (s *stage) printsWhatIf(campaign string) {
	s.t.Helper()
	code, out, errOut := start(s.t, s.env, "replay", "events", "--campaign", campaign)
	for _, want := range []string{"3 granted, 2 declared: the latest 1 would fail", "-12.00 CNY", "0 users get more, 4 less"} {
		if code != exitDone || !strings.Contains(out, want) {
			s.t.Errorf("exit %d, %s, no %q in:\n%s", code, errOut, want, out)
		}
	}
	code, out, errOut = start(s.t, s.env, "replay", "events", "--campaign", campaign, "--csv")
	want := `user,rule,coupon,currency,before_count,after_count,before_minor,after_minor,delta_minor
1001,buy,five,CNY,1,0,500,0,-500
1001,l1,five,CNY,2,0,1000,0,-1000
1001,two,five,CNY,0,1,0,300,300
1002,buy,five,CNY,1,0,500,0,-500
1002,l1,five,CNY,1,0,500,0,-500
1002,welcome,five,CNY,1,1,500,300,-200
1003,welcome,five,CNY,1,1,500,300,-200
1004,welcome,five,CNY,1,0,500,0,-500
`
	if code != exitDone || out != want {
		s.t.Errorf("exit %d, %s:\n%s\nwant:\n%s", code, errOut, out, want)
	}
}
