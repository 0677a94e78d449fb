package cascade

import (
	"errors"
	"fmt"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// referee answers a stream as domain.md sections 2 to 4 say, in the order of the stream, with
// maps and no care for speed: the second opinion on Counts. It decodes with the schemas room.
type referee struct {
	t          testing.TB
	partitions int32
	nowMS      int64
	decoder    schemas.Decoder
	verifier   *schemas.CodeVerifier

	counts   Counts
	lastMS   int64
	chainOf  map[int64]int64 // member -> chain: one chain a user (K3)
	inviter  map[int64]int64
	depth    map[int64]int
	direct   map[int64]int64
	shared   map[int64]bool
	shareIDs map[string]bool
	limit    map[[2]int64]int // user, hour
	orders   map[string]bool  // true: reversed
}

func newReferee(t testing.TB, cfg Config) *referee {
	t.Helper()
	return &referee{
		t: t, partitions: 16, nowMS: cfg.NowMS, verifier: schemas.NewCodeVerifier(cfg.Keys),
		chainOf: map[int64]int64{}, inviter: map[int64]int64{}, depth: map[int64]int{},
		direct: map[int64]int64{}, shared: map[int64]bool{}, shareIDs: map[string]bool{},
		limit: map[[2]int64]int{}, orders: map[string]bool{},
	}
}

// judge takes one record; the test fails where the stream itself breaks K2.
func (j *referee) judge(rec *Record) {
	j.counts.Records++
	if rec.TimeMS < j.lastMS {
		j.t.Fatalf("record %d: time %d is before %d (K2)", j.counts.Records, rec.TimeMS, j.lastMS)
	}
	j.lastMS = rec.TimeMS
	j.decoder.Reset()
	for _, h := range rec.Headers {
		j.decoder.Header(h.Key, h.Value)
	}
	var e schemas.Event
	err := j.decoder.Event(rec.Value, &e)
	if err == nil {
		j.verifier.VerifyEvent(&e)
	}
	if dead := j.dead(rec, &e, err); dead != 0 {
		j.counts.Dead[dead]++
		return
	}
	if j.duplicate(&e) {
		j.counts.Duplicates++
		return
	}
	if reason := j.refuse(&e); reason != 0 {
		j.counts.Refused[reason]++
		return
	}
	j.accept(&e)
}

func (j *referee) dead(rec *Record, e *schemas.Event, err error) schemas.Reason {
	if err != nil {
		var poison *schemas.Poison
		if !errors.As(err, &poison) {
			j.t.Fatalf("record %d: %v is no poison", j.counts.Records, err)
		}
		return poison.Reason
	}
	if len(rec.Key) == 0 {
		return pb.Reason_REASON_NO_KEY
	}
	if schemas.Partition(rec.Key, j.partitions) != rec.Partition {
		return pb.Reason_REASON_MISROUTED
	}
	if e.TimeMS > j.nowMS+300_000 {
		return pb.Reason_REASON_FUTURE_TIME
	}
	if e.Kind == schemas.EventJoin && e.Code == schemas.CodeMalformed {
		return pb.Reason_REASON_BAD_CODE
	}
	if e.Campaign != 1 {
		return pb.Reason_REASON_UNKNOWN_CAMPAIGN
	}
	if string(rec.Key) != fmt.Sprint(e.Chain) {
		j.t.Fatalf("record %d: key %s, chain %d", j.counts.Records, rec.Key, e.Chain)
	}
	return 0
}

func (j *referee) duplicate(e *schemas.Event) bool {
	switch e.Kind {
	case schemas.EventShare:
		return j.shareIDs[string(e.Source)+" "+string(e.ID)]
	case schemas.EventJoin:
		by, member := j.inviter[e.User]
		return member && by == e.Inviter
	case schemas.EventPurchase:
		_, known := j.orders[string(e.OrderID)]
		return known
	default:
		return j.orders[string(e.OrderID)]
	}
}

func (j *referee) refuse(e *schemas.Event) schemas.Reason {
	if e.Kind == schemas.EventPurchase || e.Kind == schemas.EventReversal {
		if _, known := j.orders[string(e.OrderID)]; e.Kind == schemas.EventReversal && !known {
			return pb.Reason_REASON_UNKNOWN_ORDER
		}
		if e.Kind == schemas.EventPurchase && j.chainOf[e.User] != e.Chain {
			return pb.Reason_REASON_UNKNOWN_USER
		}
		return 0
	}
	if _, member := j.inviter[e.User]; e.Kind == schemas.EventJoin && member && j.chainOf[e.User] == e.Chain {
		return pb.Reason_REASON_ALREADY_INVITED
	}
	if e.Code != schemas.CodeGood {
		return pb.Reason_REASON_BAD_CODE
	}
	if e.CodeExpiresS*1000 <= e.TimeMS {
		return pb.Reason_REASON_EXPIRED_CODE
	}
	if e.Kind == schemas.EventShare {
		return j.refuseShare(e)
	}
	return j.refuseJoin(e)
}

func (j *referee) refuseShare(e *schemas.Event) schemas.Reason {
	if e.User != e.Chain && j.chainOf[e.User] != e.Chain {
		return pb.Reason_REASON_UNKNOWN_USER
	}
	if j.limit[[2]int64{e.User, e.TimeMS / 3_600_000}] >= 5 {
		return pb.Reason_REASON_SHARE_LIMIT
	}
	return 0
}

func (j *referee) refuseJoin(e *schemas.Event) schemas.Reason {
	switch {
	case e.User == e.Inviter:
		return pb.Reason_REASON_SELF_INVITE
	case j.chainOf[e.Inviter] != e.Chain:
		return pb.Reason_REASON_UNKNOWN_INVITER
	case e.User == e.Chain:
		return pb.Reason_REASON_CYCLE
	case !j.shared[e.Inviter]:
		return pb.Reason_REASON_NO_ACTIVE_SHARE
	case j.chainOf[e.User] != 0:
		return pb.Reason_REASON_CLAIMED_ELSEWHERE
	}
	return 0
}

func (j *referee) accept(e *schemas.Event) {
	switch e.Kind {
	case schemas.EventShare:
		j.counts.Shares++
		j.chainOf[e.User] = e.Chain
		j.shared[e.User] = true
		j.shareIDs[string(e.Source)+" "+string(e.ID)] = true
		j.limit[[2]int64{e.User, e.TimeMS / 3_600_000}]++
	case schemas.EventJoin:
		j.chainOf[e.User] = e.Chain
		j.inviter[e.User] = e.Inviter
		j.depth[e.User] = j.depth[e.Inviter] + 1
		j.direct[e.Inviter]++
		j.counts.join(j.depth[e.User])
		if j.direct[e.Inviter]%10 == 0 {
			j.counts.Coupons++
		}
	case schemas.EventPurchase:
		j.counts.Purchases++
		j.orders[string(e.OrderID)] = false
		if e.AmountMinor >= 5000 && e.User != e.Chain {
			j.counts.Coupons++
		}
	default:
		j.counts.Reversals++
		j.orders[string(e.OrderID)] = true
	}
}

// compareCounts compares counts field by field.
func compareCounts(t testing.TB, got, want *Counts) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", *want); g != w {
		t.Errorf("counts differ (K5)\n got %s\nwant %s", g, w)
	}
}
