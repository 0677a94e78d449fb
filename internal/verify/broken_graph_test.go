package verify

import (
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// accept turns a refusal into an acceptance.
func accept(f *wfact, depth int32) {
	f.f.Kind, f.f.Verdict.Reason, f.f.Verdict.Depth = schemas.FactAccepted, 0, depth
}

func TestGraphBroken(t *testing.T) {
	t.Parallel()
	runDamages(t, []damage{
		{
			name: "a join without a share accepted", check: CheckGraph, says: "is ACCEPTED; recomputed: NO_ACTIVE_SHARE",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_NO_ACTIVE_SHARE), 2) },
		},
		{
			name: "a join beyond max_depth accepted", check: CheckGraph, says: "is ACCEPTED; recomputed: DEPTH_EXCEEDED",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_DEPTH_EXCEEDED), 4) },
		},
		{
			name: "the seed invited", check: CheckGraph, says: "one inviter per user and campaign",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_CYCLE), 2) },
		},
		{
			name: "a second inviter", check: CheckGraph, says: "one inviter per user and campaign",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_ALREADY_INVITED), 3) },
		},
		{
			name: "an inviter from nowhere", check: CheckGraph, says: "who is not in it",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_UNKNOWN_INVITER), 2) },
		},
		{
			name: "a sharer from nowhere", check: CheckGraph, says: "without being in it",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_UNKNOWN_USER), 0) },
		},
		{
			name: "a wrong depth", check: CheckGraph, says: "has depth 5 under an inviter of depth 1",
			before: func(sc *scenario) { sc.joinC.f.Verdict.Depth = 5 },
		},
		{
			name: "a sound join refused", check: CheckGraph, says: "is BAD_CODE; recomputed: ACCEPTED or CLAIMED_ELSEWHERE",
			before: func(sc *scenario) {
				sc.joinD.f.Kind, sc.joinD.f.Verdict.Reason = schemas.FactRefused, pb.Reason_REASON_BAD_CODE
			},
		},
		{
			name: "a duplicate of the wrong fact", check: CheckGraph, says: "is DUPLICATE of seq 9; recomputed: DUPLICATE of seq 3",
			before: func(sc *scenario) {
				f := sc.p.kind(schemas.FactDuplicate, 0)
				f.first, f.f.Verdict.FirstSeq = nil, 9
			},
		},
		{
			name: "a duplicate of nothing", check: CheckGraph, says: "recomputed: ACCEPTED or SHARE_LIMIT",
			before: func(sc *scenario) {
				f := sc.p.kind(schemas.FactAccepted, 3)
				f.f.Kind, f.f.Verdict.FirstSeq = schemas.FactDuplicate, 1
			},
		},
		{
			name: "an order paid twice", check: CheckGraph, says: "is ACCEPTED; recomputed: DUPLICATE",
			before: func(sc *scenario) {
				f := sc.p.kind(schemas.FactDuplicate, 2)
				f.f.Kind, f.first = schemas.FactAccepted, nil
				f.f.Verdict.AmountMinor, f.f.Verdict.Currency = 6000, []byte("CNY")
			},
		},
		{
			name: "a pause lost", check: CheckGraph, says: "is CAMPAIGN_PAUSED; recomputed: ACCEPTED",
			before: func(sc *scenario) { sc.p.drop(sc.p.kind(schemas.FactCampaignChanged, 0)) },
		},
		{
			name: "a resume lost", check: CheckGraph, says: "recomputed: CAMPAIGN_PAUSED",
			before: func(sc *scenario) { sc.p.drop(sc.p.kind(schemas.FactCampaignChanged, 1)) },
		},
		{
			name: "a change twice", check: CheckGraph, says: "change 1 follows change 1",
			before: func(sc *scenario) { sc.p.double(sc.p.kind(schemas.FactCampaignChanged, 0)) },
		},
		{
			name: "a change of no campaign", check: CheckGraph, says: "was never activated",
			before: func(sc *scenario) {
				sc.p.kind(schemas.FactCampaignChanged, 0).f.Rare.GetCampaignChanged().Change.Campaign = 8
			},
		},
		{
			name: "a campaign stopped", check: CheckGraph, says: "recomputed: CAMPAIGN_CLOSED",
			before: func(sc *scenario) {
				sc.p.kind(schemas.FactCampaignChanged, 1).f.Rare.GetCampaignChanged().Change.Kind = pb.ChangeKind_CHANGE_KIND_STOP
			},
		},
	})
}

// Every refusal is shown red with another reason.
func TestEveryReasonIsRecomputed(t *testing.T) {
	t.Parallel()
	var damages []damage
	good := newScenario(t)
	for i, f := range good.p.facts {
		if f.f.Kind != schemas.FactRefused {
			continue
		}
		was, other := f.f.Verdict.Reason, pb.Reason_REASON_BAD_CODE
		if was == other {
			other = pb.Reason_REASON_CYCLE
		}
		damages = append(damages, damage{
			name: reasonName(was), check: CheckGraph, says: "is " + reasonName(other) + "; recomputed: ",
			before: func(sc *scenario) { sc.p.facts[i].f.Verdict.Reason = other },
		})
	}
	if len(damages) < 17 {
		t.Fatalf("the good log has %d refusals", len(damages))
	}
	runDamages(t, damages)
}

func TestAcrossBroken(t *testing.T) {
	t.Parallel()
	runDamages(t, []damage{
		{
			name: "a user in two partitions", check: CheckAcross, says: "user 2005 of campaign 1 is in chain",
			before: func(sc *scenario) { accept(sc.p.refused(pb.Reason_REASON_CLAIMED_ELSEWHERE), 2) },
		},
		{
			name: "a user in two chains of a partition", check: CheckAcross, says: "user 2001 joins chain",
			before: func(sc *scenario) {
				second := sc.p.userID(1)
				sc.p.accept(sc.share(sc.p, second, second, 60), 0)
				accept(sc.p.refuse(sc.join(sc.p, second, second, sc.a, 61), 0), 1)
				sc.p.end()
			},
		},
		{
			name: "a seed that is in another chain", check: CheckAcross, says: "shares in chain",
			before: func(sc *scenario) {
				second := sc.p.userID(1)
				accept(sc.p.refuse(sc.join(sc.p, sc.s, sc.a, second, 60), 0), 2)
				sc.p.accept(sc.share(sc.p, second, second, 61), 0)
				sc.p.end()
			},
		},
		{
			name: "a coupon in two partitions", check: CheckAcross, says: "is in partition 0 and in partition 1",
			before: func(sc *scenario) {
				sc.q.command(nil, schemas.Command{Campaign: 1, Chain: sc.t, Beneficiary: sc.a, Coupon: []byte("five_off"), CommandID: []byte("c-1")})
			},
		},
	})
}

func TestRewardsBroken(t *testing.T) {
	t.Parallel()
	last := func(sc *scenario) *[]schemas.Reward { return &sc.joinB.f.Verdict.Rewards }
	runDamages(t, []damage{
		{
			name: "reward dropped", check: CheckRewards, says: "rule two grants a coupon to user",
			before: func(sc *scenario) { *last(sc) = (*last(sc))[:2] },
		},
		{
			name: "reward doubled", check: CheckRewards, says: "the rules do not, or not twice",
			before: func(sc *scenario) { *last(sc) = append(*last(sc), (*last(sc))[0]) },
		},
		{
			name: "reward for another user", check: CheckRewards, says: "is granted to user 77 by rule welcome",
			before: func(sc *scenario) { (*last(sc))[0].Beneficiary = 77 },
		},
		{
			name: "reward by another rule", check: CheckRewards, says: "by rule welcome",
			before: func(sc *scenario) { (*last(sc))[0].Rule = []byte("l1") },
		},
		{
			name: "reward of another kind", check: CheckRewards, says: "grants kind ten_off; the campaign says five_off",
			before: func(sc *scenario) { (*last(sc))[0].Coupon = []byte("ten_off") },
		},
		{
			name: "reward with another id", check: CheckRewards, says: "the rules do not",
			before: func(sc *scenario) { (*last(sc))[0].CouponID[4]++ },
		},
		{
			name: "reward with another multiple", check: CheckRewards, says: "grants for ordinal 7; recomputed: 1",
			before: func(sc *scenario) { (*last(sc))[2].Ordinal = 7 },
		},
		{
			name: "reward below min_minor", check: CheckRewards, says: "by rule buy for the purchase_settled of user 2001; the rules do not",
			before: func(sc *scenario) {
				f := sc.p.kind(schemas.FactAccepted, 9)
				f.f.Verdict.Rewards = []schemas.Reward{sc.reward("buy", sc.s, 1, "P:o2")}
			},
		},
		{
			name: "command dropped", check: CheckRewards, says: "the fact grants 3 rewards, coupon.commands has 2 commands for it",
			before: func(sc *scenario) { sc.p.commands = append(sc.p.commands[:3], sc.p.commands[4:]...) },
		},
		{
			name: "command doubled", check: CheckRewards, says: "or is its second one",
			before: func(sc *scenario) { sc.p.command(sc.joinA, sc.p.commands[1].c) },
		},
		{
			name: "command sent again while no first one is dead", check: CheckRewards, says: "or is its second one",
			before: func(sc *scenario) {
				sc.unbury(sc.lost[0])
				sc.unbury(sc.lost[1])
			},
		},
		{
			name: "command sent again in other words", check: CheckRewards, says: "or is its second one",
			before: func(sc *scenario) { sc.lost[2].c.ValueMinor++ },
		},
		{
			name: "commands swapped", check: CheckRewards, says: "coupon.commands has",
			before: func(sc *scenario) {
				c := sc.p.commands
				c[1].c, c[3].c, c[1].of, c[3].of = c[3].c, c[1].c, c[3].of, c[1].of
			},
		},
		{
			name: "command without reward", check: CheckRewards, says: "has no reward of seq",
			before: func(sc *scenario) {
				c := sc.p.commands[0].c
				c.CouponID[0]++
				sc.p.command(sc.joinA, c)
			},
		},
		{
			name: "command of a fact that never was", check: CheckRewards, says: "has no reward of seq",
			before: func(sc *scenario) {
				c := sc.p.commands[0].c
				c.CouponID[0]++
				sc.p.command(&wfact{f: schemas.Fact{Seq: 9999}}, c)
			},
		},
		{
			name: "command of another value", check: CheckRewards, says: "has another value or validity",
			before: func(sc *scenario) { sc.p.commands[0].c.ValueMinor++ },
		},
		{
			name: "command for another user", check: CheckRewards, says: "has another beneficiary",
			before: func(sc *scenario) { sc.p.commands[0].c.Beneficiary++ },
		},
		{
			name: "command of another rule", check: CheckRewards, says: "has another rule",
			before: func(sc *scenario) { sc.p.commands[0].c.Rule = []byte("l1") },
		},
		{
			name: "command of another order", check: CheckRewards, says: "has another order_id",
			before: func(sc *scenario) {
				for _, c := range sc.p.commands {
					if c.of == sc.bought {
						c.c.OrderID = []byte("o7")
					}
				}
			},
		},
		{
			name: "another text than its hash", check: CheckRewards, says: "the text's SHA-256 is",
			before: func(sc *scenario) {
				sc.p.kind(schemas.FactCampaignActivated, 0).f.Rare.GetCampaignActivated().Sha256 = make([]byte, 32)
			},
		},
		{
			name: "another version than its text", check: CheckRewards, says: "the fact names campaign 1 version 9",
			before: func(sc *scenario) {
				sc.p.kind(schemas.FactCampaignActivated, 0).f.Rare.GetCampaignActivated().Version = 9
			},
		},
		{
			name: "a version twice", check: CheckRewards, says: "version 3 is activated after version 3",
			before: func(sc *scenario) { sc.p.double(sc.p.kind(schemas.FactCampaignActivated, 0)) },
		},
		{
			name: "a text that does not read", check: CheckRewards, says: "does not read",
			before: func(sc *scenario) {
				sc.p.kind(schemas.FactCampaignActivated, 0).f.Rare.GetCampaignActivated().Text = "x"
			},
		},
	})
}
