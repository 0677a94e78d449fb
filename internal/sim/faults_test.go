//go:build synctests

package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fault is one thing that goes wrong: at the nth request of a kind by a client, or at a time.
type fault struct {
	Index int           `json:"index"`
	Kind  string        `json:"kind"`
	Who   string        `json:"who,omitempty"`
	Key   int16         `json:"key,omitempty"`
	Nth   int           `json:"nth,omitempty"`
	At    time.Duration `json:"at,omitempty"`
	For   time.Duration `json:"for,omitempty"`
	Code  int16         `json:"code,omitempty"`
	N     int           `json:"n,omitempty"`
}

func (f fault) String() string {
	if f.Nth > 0 {
		return fmt.Sprintf("%d: %s at request %d of kind %s by %s (for %v, code %d)", f.Index, f.Kind, f.Nth, kmsg.NameForKey(f.Key), f.Who, f.For, f.Code)
	}
	return fmt.Sprintf("%d: %s of %s at %v for %v (%d)", f.Index, f.Kind, f.Who, f.At, f.For, f.N)
}

// requests are the kinds that hongbao sends, with the number of the last one that is likely to come; frequent ones are named more often.
var requests = []struct {
	key  kmsg.Key
	last int
}{
	{kmsg.Produce, 80},
	{kmsg.Produce, 80},
	{kmsg.EndTxn, 60},
	{kmsg.EndTxn, 60},
	{kmsg.EndTxn, 60},
	{kmsg.TxnOffsetCommit, 60},
	{kmsg.TxnOffsetCommit, 60},
	{kmsg.TxnOffsetCommit, 60},
	{kmsg.Fetch, 80},
	{kmsg.Fetch, 80},
	{kmsg.Heartbeat, 30},
	{kmsg.Heartbeat, 30},
	{kmsg.ListOffsets, 20},
	{kmsg.Metadata, 12},
	{kmsg.OffsetFetch, 8},
	{kmsg.FindCoordinator, 6},
	{kmsg.JoinGroup, 4},
	{kmsg.SyncGroup, 4},
	{kmsg.InitProducerID, 3},
	{kmsg.ApiVersions, 12},
	{kmsg.LeaveGroup, 1},
	{kmsg.AddPartitionsToTxn, 10},
	{kmsg.ListTransactions, 2},
	{kmsg.DescribeTransactions, 2},
	{kmsg.DescribeProducers, 2},
}

// codes are what a broker may answer each kind with, beside the answer.
var codes = map[kmsg.Key][]*kerr.Error{
	kmsg.Produce:            {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.InvalidProducerEpoch, kerr.KafkaStorageError},
	kmsg.Fetch:              {kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.KafkaStorageError},
	kmsg.ListOffsets:        {kerr.NotLeaderForPartition, kerr.LeaderNotAvailable},
	kmsg.Metadata:           {kerr.LeaderNotAvailable},
	kmsg.OffsetFetch:        {kerr.UnstableOffsetCommit, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress},
	kmsg.FindCoordinator:    {kerr.CoordinatorNotAvailable},
	kmsg.JoinGroup:          {kerr.NotCoordinator, kerr.CoordinatorLoadInProgress},
	kmsg.SyncGroup:          {kerr.RebalanceInProgress, kerr.NotCoordinator},
	kmsg.Heartbeat:          {kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.NotCoordinator},
	kmsg.InitProducerID:     {kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
	kmsg.EndTxn:             {kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.ConcurrentTransactions},
	kmsg.TxnOffsetCommit:    {kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.RequestTimedOut, kerr.ProducerFenced, kerr.FencedInstanceID},
	kmsg.ListTransactions:   {kerr.CoordinatorLoadInProgress},
	kmsg.AddPartitionsToTxn: {kerr.ConcurrentTransactions, kerr.NotCoordinator},
}

// drawFaults draws a schedule. One seed in ten has none: the quiet run is a case of its own.
func (p *plan) drawFaults(rng *rand.Rand) {
	if rng.IntN(10) == 0 {
		return
	}
	for range 3 + rng.IntN(10) {
		p.Faults = append(p.Faults, p.wireFault(rng))
	}
	for range rng.IntN(5) {
		p.Faults = append(p.Faults, p.timedFault(rng))
	}
	p.alone()
}

// drawMore draws what came later, from a source of its own, so that the schedules of other seeds stay what they were.
func (p *plan) drawMore() {
	rng := rand.New(rand.NewPCG(p.Seed, 4))
	if p.Seed%16 == 12 {
		for range 2 {
			p.Faults = append(p.Faults, fault{Kind: "kill in revoke", Who: p.anybody(rng), At: millis(rng, 1000, 8000), For: millis(rng, 0, 5000), N: rng.IntN(1000)})
		}
	}
	if p.Seed%8 != 2 {
		return
	}
	p.Faults = append(p.Faults, fault{Kind: "redis slow", At: millis(rng, 500, 9500), For: millis(rng, 500, 5000), N: rng.IntN(1000)})
	for n := range p.Instances { // seldom asked for: after leaders have moved
		f := fault{Kind: []string{"cut before", "cut after"}[rng.IntN(2)], Who: fmt.Sprintf("i%d", n), Key: int16(kmsg.OffsetForLeaderEpoch), Nth: 1}
		p.Faults = append(p.Faults, f)
	}
	p.alone()
}

// drawRarer adds what has to fall together with something else to hit at all, from a source of its own: a pause that is longer than the session must begin
// and end while faults are made, and Redis must be asked for something between the last write that reaches a replica and the failover.
func (p *plan) drawRarer() {
	if len(p.Faults) == 0 {
		return
	}
	rng := rand.New(rand.NewPCG(p.Seed, 5))
	switch p.Seed % 32 {
	case 5:
		p.Faults = append(p.Faults, fault{Kind: "pause", Who: p.anybody(rng), At: millis(rng, 600, 1300), For: millis(rng, 10200, 10600)})
	case 21:
		f := fault{Kind: "redis failover", At: time.Duration(2+rng.IntN(7))*time.Second - millis(rng, 20, 100), N: 301 + 3*rng.IntN(150)}
		p.Faults = append(p.Faults, f)
		p.alone()
	}
	if p.Seed%8 == 6 { // a client asks again by itself after a cut, and hears what became of a commit; not where nobody can be asked
		p.wire(rng, 2, fault{Kind: "cut off"}, 60, 500, 4000, kmsg.EndTxn)
	}
}

// alone takes out of a schedule what may not meet a loss that stops a partition: any second loss, and all that makes Redis or the issuer forget or fall
// silent. For what they have forgotten they want to hear from every partition before anybody is admitted or anything issued (X10); one that has stopped
// says nothing, and the seed would stand still. For the same reason the loss comes after 4 s at the earliest: by then every partition has spoken once.
func (p *plan) alone() {
	loses := func(f fault) bool {
		return slices.Contains([]string{"offsets lost", "facts lost", "truncated"}, f.Kind)
	}
	lost := false
	p.Faults = slices.DeleteFunc(p.Faults, func(f fault) bool {
		again := lost && loses(f)
		lost = lost || loses(f)
		return again
	})
	if !lost {
		return
	}
	p.Faults = slices.DeleteFunc(p.Faults, func(f fault) bool {
		return strings.HasPrefix(f.Kind, "redis ") || f.Kind == "issuer restart" || f.Kind == "issuer emptied"
	})
	for i := range p.Faults {
		if loses(p.Faults[i]) {
			p.Faults[i].At = max(p.Faults[i].At, 4*time.Second)
		}
	}
}

func (p *plan) wireFault(rng *rand.Rand) fault {
	r := requests[rng.IntN(len(requests))]
	f := fault{Who: fmt.Sprintf("i%d", rng.IntN(p.Instances)), Key: int16(r.key), Nth: 1 + rng.IntN(r.last)}
	f.N = rng.IntN(1000)
	switch rng.IntN(12) {
	case 10:
		f.Kind, f.For = "kill at", time.Duration(rng.IntN(5000))*time.Millisecond
	case 11:
		f.Kind, f.For = "pause at", time.Duration(rng.IntN(14000))*time.Millisecond
	case 0, 1:
		f.Kind = "cut before"
	case 2, 3, 4:
		f.Kind = "cut after"
	case 5:
		f.Kind = "swallowed"
	case 6:
		f.Kind, f.For = "slow answer", time.Duration(rng.IntN(4000))*time.Millisecond
	case 7:
		f.Kind, f.For = "late request", time.Duration(rng.IntN(4000))*time.Millisecond
	default:
		of := codes[r.key]
		if len(of) == 0 {
			f.Kind = "cut after"
			break
		}
		f.Kind, f.Code = "code", of[rng.IntN(len(of))].Code
	}
	return f
}

// faults makes them happen.
type faults struct {
	s       *sim
	mu      sync.Mutex
	wire    map[wireKey]fault
	over    bool
	handles map[string]*kfake.FaultHandle
	n       int
}

type wireKey struct {
	who string
	key int16
	nth int
}

func newFaults(s *sim) *faults {
	f := &faults{s: s, wire: map[wireKey]fault{}, handles: map[string]*kfake.FaultHandle{}}
	for _, x := range s.plan.Faults {
		if x.Nth > 0 {
			f.wire[wireKey{x.Who, x.Key, x.Nth}] = x
		}
	}
	return f
}

// judge says what becomes of the nth request of a kind by a client.
func (f *faults) judge(l *link, key int16, n int) fate {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, ok := f.wire[wireKey{l.name, key, n}]
	if !ok || f.over {
		return fate{}
	}
	name := kmsg.NameForKey(key)
	hit := func(bool) { f.s.hit(x.Kind + " " + name) }
	switch x.Kind {
	case "code":
		f.n++
		code := kerr.TypedErrorForCode(x.Code)
		k := fmt.Sprintf("%d code %s %v", f.n, name, code.Message)
		f.handles[k] = f.s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Key(key)}, Err: code, Count: 1, When: isNumber(f.n)})
		return fate{code: f.n}
	case "kill at":
		if f.s.killAt(l, x) {
			hit(false)
		}
		return fate{cut: x.N%2 == 0}
	case "pause at":
		f.s.pauseFor(l, x.For, x.Kind+" "+name)
		return fate{}
	case "cut before":
		return fate{cut: true, hit: hit}
	case "cut after":
		return fate{cutBack: true, hit: hit}
	case "cut off":
		return fate{cutBack: true, away: x.For, hit: hit}
	case "swallowed":
		return fate{swallow: true, hit: hit}
	case "slow answer":
		return fate{slow: x.For, hit: hit}
	case "outlives":
		return fate{late: x.For, sure: true, hit: func(gone bool) {
			if gone {
				hit(gone)
			} else {
				f.s.hit("late request " + name)
			}
		}}
	default:
		return fate{late: x.For, hit: hit}
	}
}

// pauseFor holds a process. That counts as kind if it has held something back, and as a pause past the session if the group has given the process up.
func (s *sim) pauseFor(l *link, d time.Duration, kind string) {
	release, began := l.hold(), time.Now()
	s.later(d, func() {
		long := time.Since(began) >= sessionTimeout
		forget := func() {}
		if long {
			forget = s.heard.oncePaused(l, kind)
		}
		switch met := release(); {
		case !met:
			forget()
		case !long:
			s.hit(kind)
		}
	})
}

// sessionTimeout is after how long the group gives up a member of whom it hears nothing.
const sessionTimeout = 10 * time.Second

// killAt ends the process that has just sent a request.
func (s *sim) killAt(l *link, x fault) (killed bool) {
	for _, i := range s.fleet {
		if i.life != nil && i.life.link == l && i.running() {
			i.life.kill(percents[x.N%4])
			s.again(i, x.For)
			killed = true
		}
	}
	return killed
}

// end stops the faults of the wire, and counts the codes that were answered.
func (f *faults) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for k, h := range f.handles {
		h.Remove()
		if h.Hits() > 0 {
			_, name, _ := strings.Cut(k, " ")
			f.s.hit(name)
		}
	}
}

// afterwards runs fn when all is over: a fault may be met long after it was made.
func (s *sim) afterwards(fn func()) {
	s.hitMu.Lock()
	defer s.hitMu.Unlock()
	s.last = append(s.last, fn)
}

// hit counts a fault that hit.
func (s *sim) hit(kind string) {
	s.hitMu.Lock()
	defer s.hitMu.Unlock()
	s.result.Hits[kind]++
	s.log.Warn("FAULT", "kind", kind)
}
