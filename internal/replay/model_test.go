package replay

import (
	"testing"

	"hongbao/internal/admission"
	"hongbao/projections"
	"hongbao/schemas"
)

// TestModel: what Redis said stands while a user's verdicts are what they were; then the model speaks, by the rules of domain.md section 4 (R6).
func TestModel(t *testing.T) {
	t.Parallel()
	const claim, share = projections.AskClaim, projections.AskShare
	granted := &schemas.Fact{Kind: schemas.FactAccepted, Verdict: schemas.Verdict{Claimed: true, Counted: true}}
	limited := &schemas.Fact{Kind: schemas.FactRefused, Verdict: schemas.Verdict{Reason: reasonShareLimit}}
	claimed := &schemas.Fact{Kind: schemas.FactRefused, Verdict: schemas.Verdict{Reason: reasonClaimedElsewhere}}
	owedShare := &schemas.Fact{Kind: schemas.FactRefused, Verdict: schemas.Verdict{Reason: reasonShareLimit, Claimed: true, Counted: true}}
	owedClaim := &schemas.Fact{Kind: schemas.FactRefused, Verdict: schemas.Verdict{Reason: reasonClaimedElsewhere, Claimed: true, Counted: true}}
	silent := &schemas.Fact{Kind: schemas.FactRefused}
	event := func(kind schemas.EventKind, chain, timeMS int64) *schemas.Event {
		return &schemas.Event{Kind: kind, Campaign: 1, User: 7, Chain: chain, TimeMS: timeMS}
	}
	m := newModel(admission.Limit{Count: 2, WindowMS: 1000})
	want := func(what string, got, want projections.Answer) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	yes, no := projections.Yes, projections.No
	join, first := event(schemas.EventJoin, 1, 10), event(schemas.EventShare, 1, 10)
	want("said no to the claim", m.answer(claim, claimed, join), projections.Answer{Claim: no})
	want("said no to the share", m.answer(share|claim, limited, first), projections.Answer{Share: no})
	want("said yes", m.answer(share|claim, granted, first), projections.Answer{Share: yes, Claim: yes})
	want("said no to the share in the end", m.answer(share|claim, owedShare, first), projections.Answer{Share: no})
	want("said no to the claim in the end", m.answer(share|claim, owedClaim, first), projections.Answer{Share: yes, Claim: no})
	want("was not asked", m.answer(share|claim, silent, first), projections.Answer{Share: yes, Claim: yes})

	m.granted(share|claim, first)
	want("said yes, whatever the model holds", m.answer(claim, granted, event(schemas.EventJoin, 2, 20)), projections.Answer{Claim: yes})
	m.touch(7)
	want("another chain has the user", m.answer(claim, granted, event(schemas.EventJoin, 2, 20)), projections.Answer{Claim: no})
	want("the same chain has the user", m.answer(claim, claimed, event(schemas.EventJoin, 1, 20)), projections.Answer{Claim: yes})
	want("room for one more", m.answer(share, limited, first), projections.Answer{Share: yes})
	m.share(7, 999)
	want("the hour is full, the claim not asked", m.answer(share|claim, granted, first), projections.Answer{Share: no})
	want("another hour", m.answer(share, limited, event(schemas.EventShare, 1, 1000)), projections.Answer{Share: yes})
}

// TestModelForgets: share buckets of more than two turns ago are gone, and none that Redis would still have (R5).
func TestModelForgets(t *testing.T) {
	t.Parallel()
	const hourMS, users = int64(60 * 60 * 1000), int64(10)
	m := newModel(admission.Limit{Count: 5, WindowMS: hourMS})
	for hour := range int64(24 * 40) {
		now := 1e12 + hour*hourMS
		m.at(now)
		for user := range users {
			m.share(user, now)
		}
		if n := len(m.shares) + len(m.older); int64(n) > 50*users {
			t.Fatalf("hour %d: %d buckets of %d users are kept", hour, n, users)
		}
		for past := range min(hour+1, 25) {
			if k := (shareKey{users - 1, m.limit.Bucket(now - past*hourMS)}); m.counted(k) != 1 {
				t.Fatalf("hour %d: the share of %d hours ago is counted %d times", hour, past, m.counted(k))
			}
		}
	}
}

// TestHeadOf: what is skipped undecoded is what Decode would say.
func TestHeadOf(t *testing.T) {
	t.Parallel()
	for _, seq := range []int64{1, 127, 128, 1 << 40} {
		f := schemas.Fact{Seq: seq, Kind: schemas.FactStepEnded}
		rare := activation(schemas.DemoCampaign())
		rare.Seq = seq
		if got, kind := headOf(schemas.AppendFact(nil, &f)); kind != schemas.FactStepEnded || got != seq {
			t.Errorf("StepEnded with seq %d: seq %d, kind %d", seq, got, kind)
		}
		if got, kind := headOf(schemas.AppendFact(nil, rare)); kind != schemas.FactCampaignActivated || got != seq {
			t.Errorf("CampaignActivated with seq %d: seq %d, kind %d", seq, got, kind)
		}
	}
	for _, junk := range []string{"", "\x08", "\x08\x01", "\x08\xff\xff", "\x10\x01\x2a"} {
		if _, kind := headOf([]byte(junk)); kind != 0 {
			t.Errorf("%q: kind %d", junk, kind)
		}
	}
}
