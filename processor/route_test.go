package processor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// keyOf finds a chain whose key belongs to partition p of n.
func keyOf(p, n int32) int64 {
	for id := int64(1); ; id++ {
		if schemas.Partition(schemas.AppendKey(nil, id), n) == p {
			return id
		}
	}
}

// TestDecodeRefusals: what can be refused without state is, with reason and sentence (domain.md section 2).
func TestDecodeRefusals(t *testing.T) {
	t.Parallel()
	const n = 4
	w, m := foldWorker(t, 1, n, schemas.DemoCampaign()), &maker{tb: t}
	chain, foreign := keyOf(1, n), keyOf(2, n)
	const hour = 3600 * 1000
	share := func(timeMS int64) *kgo.Record {
		return m.record("ShareCreated", chain, &pb.ShareCreated{EventTimeMs: timeMS, Campaign: 1, Chain: chain, User: chain, Code: m.mint(chain, chain)})
	}
	appended := func(timeMS int64) *kgo.Record { // an hour ago by the broker's clock
		r := share(timeMS)
		r.Timestamp = time.UnixMilli(testNowMS - hour)
		return r
	}
	stamped := func(timeMS int64) *kgo.Record { // a producer's timestamp says nothing: the worker clock does
		r := share(timeMS)
		r.Attrs, r.Timestamp = kgo.RecordAttrs{}, time.UnixMilli(timeMS)
		return r
	}
	edit := func(r *kgo.Record, fn func(*kgo.Record)) *kgo.Record { fn(r); return r }
	cases := map[string]struct {
		r      *kgo.Record
		reason pb.Reason
		words  string
	}{
		"good":                        {m.share(chain, chain), 0, ""},
		"no key":                      {edit(m.share(chain, chain), func(r *kgo.Record) { r.Key = nil }), pb.Reason_REASON_NO_KEY, strconv.FormatInt(chain, 10)},
		"key of another chain":        {edit(m.share(chain, chain), func(r *kgo.Record) { r.Key = schemas.AppendKey(nil, foreign) }), pb.Reason_REASON_MISROUTED, "its chain is"},
		"key with a plus":             {edit(m.share(chain, chain), func(r *kgo.Record) { r.Key = append([]byte("+"), r.Key...) }), pb.Reason_REASON_MISROUTED, "in decimal"},
		"partition of another":        {m.share(foreign, foreign), pb.Reason_REASON_MISROUTED, "belongs to partition 2 of 4, the record is in 1"},
		"in time by append time":      {appended(testNowMS - hour + futureMS), 0, ""},
		"future by append time":       {appended(testNowMS - hour + futureMS + 1), pb.Reason_REASON_FUTURE_TIME, "at most 300 s"},
		"in time by worker clock":     {stamped(testNowMS + futureMS), 0, ""},
		"future by worker clock":      {stamped(testNowMS + futureMS + 1), pb.Reason_REASON_FUTURE_TIME, "at most 300 s"},
		"malformed code of a join":    {m.record("InviteJoined", chain, &pb.InviteJoined{EventTimeMs: testNowMS, Code: "what?", Invitee: 5}), pb.Reason_REASON_BAD_CODE, `"what?" is not an invite code`},
		"malformed code of a share":   {m.record("ShareCreated", chain, &pb.ShareCreated{EventTimeMs: testNowMS, Campaign: 1, Chain: chain, User: chain, Code: "what?"}), 0, ""},
		"more than a MiB":             {edit(m.share(chain, chain), func(r *kgo.Record) { r.Value = make([]byte, schemas.MaxRecordBytes+1) }), pb.Reason_REASON_TOO_LARGE, "1048577"},
		"the code's chain is another": {edit(m.join(foreign, foreign, 5), func(r *kgo.Record) { r.Key = schemas.AppendKey(nil, chain) }), pb.Reason_REASON_MISROUTED, "its chain is"},
	}
	for name, c := range cases {
		var e schemas.Event
		p := w.decode(c.r, &e)
		switch {
		case c.words == "" && p != nil:
			t.Errorf("%s: %v", name, p)
		case c.words != "" && (p == nil || p.Reason != c.reason || !strings.Contains(p.Sentence, c.words)):
			t.Errorf("%s: %v; want %s with %q", name, p, c.reason, c.words)
		}
	}
}

// TestLetterTooBig: a dead letter that its topic would not take carries coordinates and a hash (X3).
func TestLetterTooBig(t *testing.T) {
	t.Parallel()
	for size, whole := range map[int]bool{100: true, 1 << 20: true, deadBytesMax + 10: false, 4 << 20: false} {
		w := foldWorker(t, 0, 1, nil)
		w.draft.begin(eventstore.Boundary{})
		r := &kgo.Record{Key: []byte("7"), Value: make([]byte, size-1), Offset: 3}
		if err := w.deadLetter(schemas.TopicInviteDead, schemas.TopicEvents, r, &schemas.Poison{Reason: pb.Reason_REASON_TOO_LARGE, Sentence: "s"}); err != nil {
			t.Fatal(err)
		}
		if got := len(w.out.value); got > recordBytesMax-1<<10 || (got > size-1) != whole {
			t.Errorf("a record of %d bytes became a letter of %d", size, got)
		}
	}
}

// TestControlRoute: a campaign change goes to every partition under campaign/<id>, all else by its chain.
func TestControlRoute(t *testing.T) {
	t.Parallel()
	w := foldWorker(t, 1, 4, nil)
	mine, foreign := keyOf(1, 4), keyOf(2, 4)
	change := &pb.ControlCommand{Body: &pb.ControlCommand_CampaignChange{CampaignChange: &pb.CampaignChange{Campaign: 1}}}
	apply := &pb.ControlCommand{Body: &pb.ControlCommand_CampaignApply{CampaignApply: &pb.CampaignApply{Campaign: 1}}}
	of := func(chain int64) []*pb.ControlCommand {
		v := &pb.VoucherCommand{Chain: chain}
		return []*pb.ControlCommand{
			{Body: &pb.ControlCommand_Redeem{Redeem: v}},
			{Body: &pb.ControlCommand_RollBack{RollBack: v}},
			{Body: &pb.ControlCommand_Revoke{Revoke: v}},
			{Body: &pb.ControlCommand_Review{Review: &pb.ReviewCommand{Chain: chain}}},
		}
	}
	check := func(key string, c *pb.ControlCommand, want pb.Reason) {
		t.Helper()
		p := w.controlRoute(&kgo.Record{Key: []byte(key)}, c)
		if (p == nil) != (want == 0) || p != nil && p.Reason != want {
			t.Errorf("key %q of %T: %v, want %s", key, c.Body, p, want)
		}
	}
	check("campaign/1", change, 0)
	check("campaign/1", apply, 0)
	check("7", change, pb.Reason_REASON_MISROUTED)
	check("", apply, pb.Reason_REASON_MISROUTED)
	for _, c := range of(mine) {
		check(strconv.FormatInt(mine, 10), c, 0)
		check("", c, pb.Reason_REASON_NO_KEY)
		check("campaign/1", c, pb.Reason_REASON_MISROUTED)
	}
	for _, c := range of(foreign) {
		check(strconv.FormatInt(foreign, 10), c, pb.Reason_REASON_MISROUTED)
	}
}

// TestRecordFaults: only what Kafka refuses for the record itself stops its partition; all else starts the lane
// again (X6).
func TestRecordFaults(t *testing.T) {
	t.Parallel()
	for _, err := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage} {
		if !isRecordFault(fmt.Errorf("wrapped: %w", err)) {
			t.Errorf("%v is the record's fault", err)
		}
	}
	for _, err := range []error{kerr.ProducerFenced, kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.InvalidTxnState, errors.New("cut")} {
		if isRecordFault(err) {
			t.Errorf("%v is not the record's fault", err)
		}
	}
}
