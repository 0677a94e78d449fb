//go:build synctests

package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// focuses are schedules of their own, in place of the common draw, for what that draw brings about too seldom: each is one kind of trouble and little
// else. A planted bug names the one that shows it; without a planted bug each is as green as the rest.
var focuses = map[string]func(p *plan, rng *rand.Rand){
	"late requests":  (*plan).lateRequests,
	"slow commits":   (*plan).slowCommits,
	"unstable":       (*plan).unstable,
	"record refused": (*plan).recordsRefused,
	"overtaken":      (*plan).overtaken,
	"claims":         (*plan).claims,
	"offset forged":  (*plan).offsetForged,
	"foreign":        (*plan).foreign,
	"issuer":         (*plan).issuerTrouble,
	"churn":          (*plan).churn,
	"given up":       (*plan).givenUp,
	"cut off":        (*plan).cutOff,
}

func (p *plan) focus(name string, rng *rand.Rand) {
	draw := focuses[name]
	if draw == nil {
		panic(fmt.Sprintf("-sim.focus %q is none of the focuses", name))
	}
	p.Focus, p.Faults = name, nil
	draw(p, rng)
}

func millis(rng *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+rng.IntN(to-from)) * time.Millisecond
}

func (p *plan) anybody(rng *rand.Rand) string { return fmt.Sprintf("i%d", rng.IntN(p.Instances)) }

// wire adds n faults of one kind at requests of some kinds by anybody.
func (p *plan) wire(rng *rand.Rand, n int, f fault, last int, from, to int, keys ...kmsg.Key) {
	for range n {
		f.Who, f.Key, f.Nth = p.anybody(rng), int16(keys[rng.IntN(len(keys))]), 1+rng.IntN(last)
		f.For, f.N = millis(rng, from, to), rng.IntN(1000)
		p.Faults = append(p.Faults, f)
	}
}

// timed adds n faults that come at a time, each of one of the kinds.
func (p *plan) timed(rng *rand.Rand, n, from, to int, kinds ...string) {
	for range n {
		p.Faults = append(p.Faults, fault{
			Kind: kinds[rng.IntN(len(kinds))], Who: p.anybody(rng), At: millis(rng, 500, 9500), For: millis(rng, from, to), N: rng.IntN(1000),
		})
	}
}

// lateRequests arrive seconds later, also after the connection has gone, while partitions move. Not Produce: kfake lets one of an old epoch begin a
// transaction of the new one, which no broker does.
func (p *plan) lateRequests(rng *rand.Rand) {
	p.Instances = 2 + rng.IntN(2)
	p.wire(rng, 12, fault{Kind: "outlives"}, 60, 2000, 7500, kmsg.EndTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit)
	p.timed(rng, 4, 500, 4000, "join", "stop", "kill")
}

// slowCommits are applied at once and answered after the patience of a revoke, while partitions move.
func (p *plan) slowCommits(rng *rand.Rand) {
	p.Instances = 2 + rng.IntN(2)
	p.wire(rng, 10, fault{Kind: "slow answer"}, 60, 3100, 5900, kmsg.EndTxn)
	p.timed(rng, 4, 500, 6000, "join", "stop")
}

// unstable offsets are answered several times in a row.
func (p *plan) unstable(rng *rand.Rand) {
	p.Instances = 1 + rng.IntN(3)
	for i := range p.Instances {
		for n := range 30 {
			if rng.IntN(3) > 0 {
				p.Faults = append(p.Faults, fault{Kind: "code", Who: fmt.Sprintf("i%d", i), Key: int16(kmsg.OffsetFetch), Nth: 1 + n, Code: kerr.UnstableOffsetCommit.Code})
			}
		}
	}
	p.timed(rng, 4, 500, 2000, "kill", "stop", "connections cut")
}

func (p *plan) recordsRefused(rng *rand.Rand) {
	p.timed(rng, 6, 500, 2000, "record refused")
}

func (p *plan) overtaken(rng *rand.Rand) {
	p.Instances = 2 + rng.IntN(2)
	for n := range 2 {
		p.Faults = append(p.Faults, fault{Kind: "overtaken", Who: p.anybody(rng), At: millis(rng, 1000+4000*n, 4000+4000*n), For: millis(rng, 200, 6000), N: rng.IntN(1000)})
	}
}

// claims are granted for events that are refused afterwards (feed.clash), in one process without a fault or in some that are killed.
func (p *plan) claims(rng *rand.Rand) {
	if p.Instances = 1; p.Seed%2 > 0 {
		p.timed(rng, 4, 500, 2000, "kill", "connections cut", "stop")
	}
}

func (p *plan) offsetForged(rng *rand.Rand) {
	p.Faults = append(p.Faults, fault{Kind: "offset forged", At: millis(rng, 3000, 9000), N: rng.IntN(1000)})
}

// foreign transactions stand open while ours are left open by processes that are taken over.
func (p *plan) foreign(rng *rand.Rand) {
	p.overtaken(rng)
	p.timed(rng, 6, 5000, 13000, "foreign transaction")
	for i := range p.Faults {
		if p.Faults[i].Kind == "overtaken" {
			p.Faults[i].For = millis(rng, 100, 1500)
		}
	}
}

// issuerTrouble lasts, and lanes begin again meanwhile.
func (p *plan) issuerTrouble(rng *rand.Rand) {
	p.Faults = append(p.Faults, fault{Kind: "issuer trouble", At: 500 * time.Millisecond, For: 11 * time.Second, N: rng.IntN(1000)})
	p.wire(rng, 8, fault{Kind: "cut off"}, 120, 500, 1000, kmsg.EndTxn)
}

// churn moves partitions while others are being taken.
func (p *plan) churn(rng *rand.Rand) {
	p.Instances = 2 + rng.IntN(2)
	p.wire(rng, 14, fault{Kind: "slow answer"}, 25, 500, 5000, kmsg.OffsetFetch, kmsg.ListOffsets, kmsg.InitProducerID)
	p.timed(rng, 5, 500, 4000, "join", "stop", "kill")
}

// givenUp processes are paused in the middle of joining until the group has given them up, and join again under another id.
func (p *plan) givenUp(rng *rand.Rand) {
	p.Instances = 3 + rng.IntN(2)
	p.wire(rng, 4, fault{Kind: "pause at"}, 5, 10500, 12500, kmsg.JoinGroup)
	p.timed(rng, 3, 500, 4000, "kill", "join")
}

// cutOff processes learn nothing of a commit that was applied, and reach the broker again before they have given up.
func (p *plan) cutOff(rng *rand.Rand) {
	p.wire(rng, 8, fault{Kind: "cut off"}, 60, 350, 900, kmsg.EndTxn)
}
