package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

func (s *stage) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *stage) campaigns() map[int64]campaignState {
	s.t.Helper()
	var l campaignListAnswer
	s.must(&l, "campaign", "list")
	byID := map[int64]campaignState{}
	for _, c := range l.Campaigns {
		byID[c.Campaign] = c
	}
	return byID
}

// domain.md section 5: commands take effect on every partition, once per number, without a restart.
func TestCampaignCommandsTakeEffect(t *testing.T) {
	t.Parallel()
	s := newStage(t, testKeys, "HONGBAO_CAMPAIGNS="+filepath.Join(t.TempDir(), "seven.yaml"))
	seven := strings.TrimPrefix(s.env[1], "HONGBAO_CAMPAIGNS=")
	if err := os.WriteFile(seven, []byte(campaignText(7, 1, 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := s.serve("a")
	s.until("campaign 7 in force in all partitions", func() bool { c, ok := s.campaigns()[7]; return ok && len(c.Behind) == 0 })

	var done campaignAnswer
	s.must(&done, "campaign", "pause", "7", "--reason", "the shop is closed")
	if !done.OK || !done.Sent || done.Change != 1 || done.Kind != "PAUSE" || len(done.Waiting) != 0 {
		t.Errorf("pause: %+v", done)
	}
	if c := s.campaigns()[7]; c.State != "PAUSED" || c.Change != 1 || len(c.Behind) != 0 || len(c.Changes) != 1 || c.Changes[0].Reason != "the shop is closed" {
		t.Errorf("paused: %+v", c)
	}
	s.must(nil, "campaign", "resume", "7", "--reason", "it is open again")
	s.must(nil, "campaign", "top-up", "7", "--coupon", "gift", "--stock", "5", "--reason", "more")
	done = campaignAnswer{}
	s.must(&done, "campaign", "top-up", "7", "--budget", "CNY=700", "--reason", "more money")
	if c := s.campaigns()[7]; c.State != "RUNNING" || c.Change != 4 || done.Change != 4 || c.Changes[2].Stock != 5 || c.Changes[3].BudgetMinor != 700 {
		t.Errorf("topped up: %+v", c)
	}

	newer := s.file("newer.yaml", campaignText(7, 2, 20))
	done = campaignAnswer{}
	s.must(&done, "campaign", "apply", newer)
	if c := s.campaigns()[7]; c.Version != 2 || c.SHA256 != done.SHA256 || len(c.Behind) != 0 || c.Change != 4 {
		t.Errorf("applied: %+v", c)
	}
	done = campaignAnswer{}
	if s.must(&done, "campaign", "apply", newer); done.Sent || !done.OK {
		t.Errorf("applied again: %+v; want nothing to be sent", done)
	}
	s.refused("only a higher one takes effect", "campaign", "apply", seven)
	s.refused("give the changed file a higher version", "campaign", "apply", s.file("other.yaml", campaignText(7, 2, 21)))

	s.must(nil, "campaign", "stop", "7", "--reason", "over")
	if c := s.campaigns()[7]; c.State != "STOPPED" {
		t.Errorf("stopped: %+v", c)
	}
	s.refused("STOPPED, which is for good", "campaign", "resume", "7", "--reason", "again")
	s.must(nil, "campaign", "top-up", "7", "--coupon", "gift", "--stock", "1", "--reason", "for those who failed")

	s.verified()

	// Nobody reads them, but the next number knows of what lies beyond the last step's positions.
	stop()
	for number := int64(7); number <= 8; number++ {
		done = campaignAnswer{}
		s.must(&done, "campaign", "top-up", "7", "--coupon", "gift", "--stock", "1", "--reason", "later", "--no-wait")
		if done.Change != number {
			t.Errorf("sent while nobody runs: %+v, want change %d", done, number)
		}
	}
	if c := s.campaigns()[7]; c.Change != 6 || len(c.Changes) != 6 {
		t.Errorf("in force: %+v; what is not in the facts is not", c)
	}
}

func TestCampaignRefusals(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.refused("--reason is empty", "campaign", "pause", "1", "--no-wait")
	s.refused("campaign 1 is not known", "campaign", "pause", "1", "--reason", "x", "--no-wait")
	s.refused(`campaign "one": want its id`, "campaign", "stop", "one", "--reason", "x")
	s.refused("campaign file", "campaign", "apply", "nowhere.yaml")
	s.refused("CURRENCY=MINOR", "campaign", "top-up", "1", "--budget", "CNY", "--reason", "x")

	// Without an instance a command lies on hongbao.control, and later ones know of it.
	file := s.file("three.yaml", campaignText(3, 4, 1))
	s.must(nil, "campaign", "apply", file, "--no-wait")
	s.refused("only a higher one takes effect", "campaign", "apply", s.file("older.yaml", campaignText(3, 3, 1)), "--no-wait")
	var done campaignAnswer
	s.must(&done, "campaign", "pause", "3", "--reason", "x", "--no-wait")
	s.must(&done, "campaign", "resume", "3", "--reason", "x", "--no-wait")
	if done.Change != 2 || len(done.Waiting) != partitions {
		t.Errorf("second change, nobody running: %+v", done)
	}
	s.refused("no such kind", "campaign", "top-up", "3", "--coupon", "gold", "--stock", "1", "--reason", "x")
	s.refused("no budget", "campaign", "top-up", "3", "--budget", "USD=1", "--reason", "x")
	s.refused("adds 1..2^53-1", "campaign", "top-up", "3", "--coupon", "gift", "--reason", "x")
	s.refused("adds 1..2^53-1", "campaign", "top-up", "3", "--coupon", "gift", "--stock", "1", "--budget", "CNY=1", "--reason", "x")

	done = campaignAnswer{}
	if code, _ := s.do(&done, "campaign", "pause", "3", "--reason", "x", "--patience", "200ms"); code != exitFailed || done.OK || len(done.Waiting) != partitions {
		t.Errorf("nobody answers: exit %d, %+v", code, done)
	}
	code, out, _ := start(t, s.env, "campaign", "pause", "3", "--reason", "x", "--patience", "200ms")
	if code != exitFailed || !strings.Contains(out, "partitions 0, 1, 2, 3") || !strings.Contains(out, "did not answer within 200ms") {
		t.Errorf("nobody answers, as text: exit %d, %q", code, out)
	}
}

// A worker's refusal comes back by coupon.dead: the demo key is good for campaign 1 alone.
func TestCampaignRefusedByWorkers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve("a")
	var done campaignAnswer
	code, _ := s.do(&done, "campaign", "apply", s.file("five.yaml", campaignText(5, 1, 1)), "--patience", stagePatience.String())
	if code != exitFailed || len(done.Refused) != partitions || len(done.Waiting) != 0 || done.Refused[0].Reason != "INVALID_FIELD" ||
		!strings.Contains(done.Refused[0].Sentence, "HONGBAO_CODE_KEYS") {
		t.Errorf("apply under the demo key: exit %d, %+v", code, done)
	}
}

// A broadcast whose markers are not written yet is waited for: its number is taken.
func TestControlIsSettledFirst(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sender, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.TransactionalID(s.prefix+"sender"))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if err := sender.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	record := &kgo.Record{Topic: schemas.TopicControl.Name(s.prefix), Key: []byte("campaign/1"), Value: []byte("{}")}
	if err := sender.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := settleControl(brief, s.log); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while a transaction is open: %v; want to have waited", err)
	}
	if err := sender.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := settleControl(t.Context(), s.log); err != nil {
		t.Errorf("after it ended: %v", err)
	}
}

// A partition whose owner is away shows as behind, by version and by change.
func TestCampaignBehind(t *testing.T) {
	t.Parallel()
	c := campaignFacts{rules: schemas.DemoCampaign(), places: []campaignPlace{
		{version: 3, change: 2, paused: true}, {version: 2, change: 2}, {version: 3, change: 1}, {},
	}}
	c.rules.Version = 3
	if s := c.state(); fmt.Sprint(s.Behind) != "[1 2 3]" || s.State != "PAUSED" || s.Change != 2 {
		t.Errorf("got %+v", s)
	}
}

// Of two changes that took one number at the same time one did nothing, and its command must say so.
func TestChangeThatAnotherOvertook(t *testing.T) {
	t.Parallel()
	change := func(reason string) *pb.CampaignChange {
		return &pb.CampaignChange{Campaign: 7, Number: 3, Kind: pb.ChangeKind_CHANGE_KIND_PAUSE, Reason: reason}
	}
	mine := change("mine")
	w := newCampaignWait(&campaignOrder{id: 7, change: mine, waiting: []int32{0, 1}, command: &pb.ControlCommand{
		CommandId: "mine", Body: &pb.ControlCommand_CampaignChange{CampaignChange: mine},
	}})
	value, err := proto.Marshal(w.order.command)
	if err != nil {
		t.Fatal(err)
	}
	fact := func(offset int64, c *pb.CampaignChange) []byte {
		f := &pb.Fact{Body: &pb.Fact_CampaignChanged{CampaignChanged: &pb.CampaignChanged{Change: c, Offset: offset}}}
		return schemas.AppendFact(nil, &schemas.Fact{Seq: 1, Kind: schemas.FactCampaignChanged, Rare: f})
	}
	see := func(topic schemas.Topic, r topiclog.Record) bool {
		enough, err := w.see(topic, &r)
		if err != nil {
			t.Fatal(err)
		}
		return enough
	}
	see(schemas.TopicControl, topiclog.Record{Partition: 0, Offset: 10, Value: value})
	see(schemas.TopicFacts, topiclog.Record{Partition: 0, Value: fact(10, mine)})
	see(schemas.TopicFacts, topiclog.Record{Partition: 1, Value: fact(8, change("theirs"))})
	if got := fmt.Sprint(w.waiting()); got != "[1]" {
		t.Errorf("waiting %s, want [1]: whose change took effect there is not known before our record is seen", got)
	}
	if !see(schemas.TopicControl, topiclog.Record{Partition: 1, Offset: 9, Value: value}) {
		t.Error("both partitions have answered")
	}
	if len(w.refused) != 1 || w.refused[0].Partition != 1 || w.refused[0].Reason != "STALE_CHANGE" {
		t.Errorf("refused %+v, want partition 1", w.refused)
	}
}
