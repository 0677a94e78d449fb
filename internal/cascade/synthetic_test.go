package cascade

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

const testNowMS = 1_780_000_000_000

func testConfig() Config {
	return Config{Keys: schemas.DemoCodeKeys(), CodeEndS: 4_102_416_000, NowMS: testNowMS}
}

func testSynthetic(t testing.TB, change func(*SyntheticConfig)) *Synthetic {
	t.Helper()
	cfg := SyntheticConfig{Config: testConfig(), Seed: 7, Events: 30_000, Chains: 300, Duplicate: 2, Bad: 1}
	if change != nil {
		change(&cfg)
	}
	s, err := NewSynthetic(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSyntheticCounts compares Counts with the referee's (K1, K2, K3, K5) over many mixes.
func TestSyntheticCounts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*SyntheticConfig){
		"default":   nil,
		"another":   func(c *SyntheticConfig) { c.Seed = 99 },
		"giant":     func(c *SyntheticConfig) { c.Giant = 0.2 },
		"one chain": func(c *SyntheticConfig) { c.Chains, c.Bad = 1, 5 },
		"json":      func(c *SyntheticConfig) { c.Format, c.Events, c.Chains, c.Bad, c.Trace = JSON, 5000, 50, 10, true },
		"structured": func(c *SyntheticConfig) {
			c.Format, c.Events, c.Chains, c.Bad, c.Trace = Structured, 5000, 50, 10, true
		},
		"reshares":  func(c *SyntheticConfig) { c.Mix = Mix{Shares: 80, Joins: 20} },
		"reversals": func(c *SyntheticConfig) { c.Mix, c.Reversals = Mix{30, 50, 20}, 500 },
		"bad":       func(c *SyntheticConfig) { c.Bad, c.Duplicate = 30, 30 },
		"short":     func(c *SyntheticConfig) { c.SpanMS = 3_600_000 },
		"oversize":  func(c *SyntheticConfig) { c.BadKinds, c.Events, c.Chains = []BadKind{Oversize}, 600, 6 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testSynthetic(t, change)
			j := newReferee(t, s.cfg.Config)
			for rec := range s.Records() {
				j.judge(rec)
			}
			compareCounts(t, s.Counts(), &j.counts)
			if s.Counts().Records != s.cfg.Events {
				t.Errorf("%d records, want %d", s.Counts().Records, s.cfg.Events)
			}
			t.Logf("seed %d: %+v", s.cfg.Seed, *s.Counts())
		})
	}
}

// TestSyntheticInAnyOrder: the counts hold however far one partition is ahead of another: here each is read to its end before the next.
func TestSyntheticInAnyOrder(t *testing.T) {
	t.Parallel()
	s := testSynthetic(t, func(c *SyntheticConfig) { c.Bad, c.Duplicate, c.BadKinds = 10, 30, []BadKind{ClaimedElsewhere} })
	all := map[int32][]*Record{}
	for rec := range s.Records() {
		own := *rec
		own.Headers = slices.Clone(rec.Headers)
		all[rec.Partition] = append(all[rec.Partition], &own)
	}
	if s.Counts().Refused[pb.Reason_REASON_CLAIMED_ELSEWHERE] < 100 {
		t.Fatalf("%+v", *s.Counts())
	}
	j := newReferee(t, s.cfg.Config)
	for _, p := range slices.Backward(slices.Sorted(maps.Keys(all))) {
		j.lastMS = 0 // a partition has its own
		for _, rec := range all[p] {
			j.judge(rec)
		}
	}
	compareCounts(t, s.Counts(), &j.counts)
}

// TestSyntheticAnything judges small streams of random configurations.
func TestSyntheticAnything(t *testing.T) {
	t.Parallel()
	const seed = 20
	d := newDice(seed, 0)
	judged := 0
	for round := range 300 {
		s, err := NewSynthetic(SyntheticConfig{
			Config: testConfig(), Seed: d.next(), Events: 1 + int64(d.below(400)), Chains: 1 + d.below(20),
			Mix:       Mix{Shares: d.unit(), Joins: d.unit(), Purchases: d.unit()},
			Duplicate: 30 * d.unit(), Bad: 30 * d.unit(), Giant: 0.9 * d.unit(), SpanMS: 1 + int64(d.unit()*1e8),
			Reversals: int64(d.below(3)),
		})
		if err != nil {
			continue // more chains or reversals than the mix allows
		}
		judged++
		j := newReferee(t, s.cfg.Config)
		for rec := range s.Records() {
			j.judge(rec)
		}
		compareCounts(t, s.Counts(), &j.counts)
		if t.Failed() {
			t.Fatalf("seed %d, round %d: %+v", seed, round, s.cfg)
		}
	}
	if judged < 100 {
		t.Errorf("seed %d: only %d streams judged", seed, judged)
	}
}

// TestSyntheticMix holds the mix to half a per cent, and shares to the limit.
func TestSyntheticMix(t *testing.T) {
	t.Parallel()
	s := testSynthetic(t, func(c *SyntheticConfig) { c.Giant = 0.2 })
	for range s.Records() {
	}
	k := s.Counts()
	good := float64(k.Accepted())
	for _, part := range []struct {
		name string
		n    int64
		want float64
	}{{"shares", k.Shares, .30}, {"joins", k.Joins, .65}, {"purchases", k.Purchases, .05}} {
		if got := float64(part.n) / good; math.Abs(got-part.want) > 0.005 {
			t.Errorf("seed %d: %s are %.4f of the good events, want %.2f", s.cfg.Seed, part.name, got, part.want)
		}
	}
	if k.Duplicates != 600 || k.Refused.Total()+k.Dead.Total() != 300 {
		t.Errorf("seed %d: %d duplicates and %d bad, want 600 and 300", s.cfg.Seed, k.Duplicates, k.Refused.Total()+k.Dead.Total())
	}
	for kind := range badKinds {
		if n := max(k.Refused[kind.Reason()], k.Dead[kind.Reason()]); n == 0 && kind != Oversize {
			t.Errorf("seed %d: no record of kind %d (%s)", s.cfg.Seed, kind, kind.Reason())
		}
	}
}

// TestSyntheticDepth compares the depths of a stream with those of cascades grown whole: the
// stream's extra shares must not change them.
func TestSyntheticDepth(t *testing.T) {
	t.Parallel()
	s := testSynthetic(t, func(c *SyntheticConfig) { c.Events, c.Chains = 200_000, 250 })
	for range s.Records() {
	}
	shape := Fitted()
	want := Measure(shape.Grow(3, 250, s.Counts().Joins))
	for i, mark := range depthMarks[:10] {
		var deeper int64
		for d, n := range s.Counts().Depth {
			if int32(d) >= mark {
				deeper += n
			}
		}
		got := float64(deeper) / float64(s.Counts().Joins)
		if math.Abs(got-want.Depth[i]) > 0.25*want.Depth[i]+0.001 {
			t.Errorf("seed %d: %.4f of the joins at depth >= %d, want %.4f", s.cfg.Seed, got, mark, want.Depth[i])
		}
	}
}

// digest hashes all there is of a stream.
func digest(s *Synthetic) uint64 {
	h := fnv.New64a()
	for rec := range s.Records() {
		fmt.Fprintln(h, rec.Key, rec.Value, rec.Headers, rec.Partition, rec.TimeMS)
	}
	return h.Sum64()
}

// TestSyntheticDeterministic is K4.
func TestSyntheticDeterministic(t *testing.T) {
	t.Parallel()
	small := func(seed uint64) *Synthetic {
		return testSynthetic(t, func(c *SyntheticConfig) { c.Events, c.Chains, c.Seed, c.Trace = 5000, 50, seed, true })
	}
	s := small(1)
	first := digest(s)
	if again, fresh := digest(s), digest(small(1)); again != first || fresh != first {
		t.Errorf("seed 1 gave %x, then %x, then %x", first, again, fresh)
	}
	if other := digest(small(2)); other == first {
		t.Errorf("seeds 1 and 2 gave the same stream %x", other)
	}
}

// TestRecordsAreKept holds that bytes handed out are never written again.
func TestRecordsAreKept(t *testing.T) {
	t.Parallel()
	s := testSynthetic(t, func(c *SyntheticConfig) { c.Events, c.Chains, c.Trace = 5000, 50, true })
	var kept, copies [][]byte
	for rec := range s.Records() {
		kept = append(kept, rec.Key, rec.Value)
		for _, h := range rec.Headers {
			kept = append(kept, h.Value)
		}
		for len(copies) < len(kept) {
			copies = append(copies, bytes.Clone(kept[len(copies)]))
		}
	}
	for i := range kept {
		if !bytes.Equal(kept[i], copies[i]) {
			t.Fatalf("slice %d was %q and became %q", i, copies[i], kept[i])
		}
	}
}

// TestSyntheticStops holds that a loop may be left.
func TestSyntheticStops(t *testing.T) {
	t.Parallel()
	s := testSynthetic(t, nil)
	n := 0
	for range s.Records() {
		if n++; n == 1234 {
			break
		}
	}
	if s.Counts().Records != 1234 {
		t.Errorf("%d records counted, 1234 taken", s.Counts().Records)
	}
}

func TestSyntheticRefusals(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*SyntheticConfig){
		"events 0: from 1 to":                 func(c *SyntheticConfig) { c.Events = 0 },
		"chains 0: from 1 to":                 func(c *SyntheticConfig) { c.Chains = 0 },
		"more seeds than shares":              func(c *SyntheticConfig) { c.Chains = 20_000 },
		"95 % duplicates and 1 % bad":         func(c *SyntheticConfig) { c.Duplicate = 95 },
		"the part of one chain":               func(c *SyntheticConfig) { c.Giant = 1 },
		"mix {1 0 0}":                         func(c *SyntheticConfig) { c.Mix = Mix{Shares: 1} },
		"span -1 ms":                          func(c *SyntheticConfig) { c.SpanMS = -1 },
		"reversals -1":                        func(c *SyntheticConfig) { c.Reversals = -1 },
		"no kind of them":                     func(c *SyntheticConfig) { c.BadKinds = []BadKind{} },
		"bad kind 200":                        func(c *SyntheticConfig) { c.BadKinds = []BadKind{200} },
		"no code keys":                        func(c *SyntheticConfig) { c.Keys = nil },
		"every join would be EXPIRED_CODE":    func(c *SyntheticConfig) { c.CodeEndS = 1 },
		"now 0 ms":                            func(c *SyntheticConfig) { c.NowMS = 0 },
		"good for campaign 1 alone":           func(c *SyntheticConfig) { c.Campaign = 2 },
		"campaign -2":                         func(c *SyntheticConfig) { c.Campaign = -2 },
		"partitions -2":                       func(c *SyntheticConfig) { c.Partitions = -2 },
		"there are Protobuf, JSON and Struct": func(c *SyntheticConfig) { c.Format = 9 },
	} {
		cfg := SyntheticConfig{Config: testConfig(), Events: 60_000, Chains: 600, Bad: 1}
		change(&cfg)
		_, err := NewSynthetic(cfg)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
}
