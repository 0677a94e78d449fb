package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// tally sums up results.
type tally struct {
	seeds, several, events, hits, violations int // several: seeds that began with more than one instance
	simulated                                time.Duration
	byKind, reached                          map[string]int
}

func newTally() *tally { return &tally{byKind: map[string]int{}, reached: map[string]int{}} }

func (t *tally) add(r *result) {
	t.seeds++
	if r.Instances > 1 {
		t.several++
	}
	t.events += r.Events
	t.violations += len(r.Violations)
	t.simulated += r.Simulated
	for k, n := range r.Hits {
		t.byKind[k] += n
		t.hits += n
	}
	for k, n := range r.Reached {
		t.reached[k] += n
	}
}

func (t *tally) print(out io.Writer, took time.Duration) {
	for _, m := range []struct {
		title string
		of    map[string]int
	}{{"reached", t.reached}, {"faults that hit", t.byKind}} {
		fmt.Fprintf(out, "%s:\n", m.title)
		for _, k := range slices.Sorted(maps.Keys(m.of)) {
			fmt.Fprintf(out, "  %7d  %s\n", m.of[k], k)
		}
	}
	fmt.Fprintf(out, "seeds with more than one instance: %.1f %%\n", t.severalPercent())
	fmt.Fprintf(out, "%d schedules, %d inputs, %d faults that hit of %d kinds, %d violations; %s simulated in %s, %.0f seeds a minute\n",
		t.seeds, t.events, t.hits, len(t.byKind), t.violations, t.simulated.Round(time.Second), took.Round(time.Second), float64(t.seeds)/took.Minutes())
}

// severalMin is how many of a hundred seeds have more than one instance at least: half of them are drawn so.
const severalMin = 45

func (t *tally) severalPercent() float64 { return 100 * float64(t.several) / float64(max(1, t.seeds)) }

// coverageFrom is the number of seeds from which everything wanted must have been reached.
const coverageFrom = 1000

// wanted is what many seeds must reach. Not in it, because nothing makes them yet: HELD, RISK_REJECTED, REVIEW_REJECTED (there are no risk
// rules), and CLAIMED_ELSEWHERE as a dead letter's reason or the like, which are verdicts only.
var wanted = strings.Split(strings.TrimSpace(`
fact Fact_Accepted
fact Fact_Refused
fact Fact_Duplicate
fact Fact_StepEnded
fact Fact_CampaignActivated
fact Fact_CampaignChanged
fact Fact_CouponMoved
fact Fact_VoucherMoved
fact Fact_ReviewDecided
refused REASON_ALREADY_INVITED
refused REASON_BAD_CODE
refused REASON_EXPIRED_CODE
refused REASON_CAMPAIGN_NOT_STARTED
refused REASON_CAMPAIGN_CLOSED
refused REASON_CAMPAIGN_PAUSED
refused REASON_SELF_INVITE
refused REASON_UNKNOWN_USER
refused REASON_UNKNOWN_INVITER
refused REASON_UNKNOWN_ORDER
refused REASON_CYCLE
refused REASON_NO_ACTIVE_SHARE
refused REASON_DEPTH_EXCEEDED
refused REASON_SHARE_LIMIT
refused REASON_CLAIMED_ELSEWHERE
dead letter REASON_UNDECODABLE
dead letter REASON_NO_KEY
dead letter REASON_MISROUTED
dead letter REASON_FUTURE_TIME
dead letter REASON_UNKNOWN_CAMPAIGN
dead letter REASON_INVALID_FIELD
dead letter REASON_UNKNOWN_TYPE
dead letter REASON_BAD_CODE
dead letter REASON_UNKNOWN_COUPON
dead letter REASON_ILLEGAL_MOVE
dead letter REASON_STALE_CHANGE
dead letter REASON_TOO_LARGE
transition REASON_OUT_OF_STOCK
transition REASON_OUT_OF_BUDGET
transition REASON_ISSUER_REJECTED
transition REASON_ISSUER_TRANSIENT
transition REASON_ISSUER_UNKNOWN
transition REASON_EXHAUSTED
transition REASON_DISCARDED
transition REASON_ORDER_REVERSED
transition REASON_REVOKED_BY_SERVICE
transition REASON_VALIDITY_ENDED
state PENDING
state VALIDATING
state ISSUING
state RETRYING
state COMPLETED
state FAILED
state DEAD
voucher ISSUED
voucher USED
voucher EXPIRED
voucher REVOKED
reward welcome
reward host
reward l1
reward l3
reward two
reward one
reward own
reward thanks
reward buy
rule X1
rule X2
rule X3
rule X4
rule X5a
rule X5b
rule X5c
rule X5d
rule X5e
rule X5f
rule X6
rule X7
rule X8
rule X9
rule X10
rule X11
transaction ended by the broker's time-out`), "\n")

// faultsFrom is the number of seeds from which every kind of fault must have hit: the rarest do so once in some thousand.
const faultsFrom = 10_000

// wantedFaults are the kinds that must hit, by how they begin. A cut before and after each kind of request that hongbao sends is wanted as well.
var wantedFaults = []string{
	"cut before ", "cut after ", "cut off ", "code ", "slow answer ", "swallowed ", "late request ", "outlives ", "kill at ", "pause at ", "connections cut",
	"kill", "kill in revoke ", "stop", "join", "pause", "pause past the session", "transaction time-out", "fence", "foreign transaction", "overtaken",
	"broker restart", "coordinators move", "leaders move", "offsets lost", "offset forged", "facts lost", "truncated", "record refused",
	"disk full", "failed sync", "bit flip", "directory lost", "directory older", "directory doubled", "directory foreign",
	"redis down", "redis slow", "redis emptied", "redis failover", "redis failover with lost writes",
	"issuer error, ", "issuer time-out, ", "issuer answer lost, ", "issuer answer late, ", "issuer slow, ", "issuer restart", "issuer emptied", "clock jump",
}

func (t *tally) missing(seeds int) []string {
	var out []string
	for _, w := range wanted {
		if t.reached[w] == 0 {
			out = append(out, w)
		}
	}
	if t.severalPercent() < severalMin {
		out = append(out, fmt.Sprintf("more than one instance in %d %% of the seeds", severalMin))
	}
	if seeds < faultsFrom {
		return out
	}
	for _, w := range t.wantedFaults() {
		if !t.hit(w) {
			out = append(out, "fault "+w)
		}
	}
	return out
}

func (t *tally) wantedFaults() []string {
	all := slices.Clone(wantedFaults)
	for _, r := range slices.Sorted(maps.Keys(t.reached)) {
		if name, ok := strings.CutPrefix(r, "request "); ok {
			all = append(all, "cut before "+name, "cut after "+name)
		}
	}
	return all
}

// hit says whether a fault of this kind has; one whose name ends in a space is any that begins so.
func (t *tally) hit(kind string) bool {
	if !strings.HasSuffix(kind, " ") {
		return t.byKind[kind] > 0
	}
	for k := range t.byKind {
		if strings.HasPrefix(k, kind) {
			return true
		}
	}
	return false
}
