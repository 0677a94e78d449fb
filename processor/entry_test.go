package processor

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"hongbao/eventstore"
	"hongbao/schemas"
)

func testRoutes(partitions int32) *routes {
	r := &routes{partitions: partitions}
	for t := range schemas.Topics {
		r.names[t] = t.Name("x.")
	}
	return r
}

// sampleStep is a sealed step with two facts, an output with headers and one without.
func sampleStep(prev eventstore.Boundary) *step {
	var d draft
	var s step
	d.begin(prev)
	f := &schemas.Fact{Kind: schemas.FactRefused, Verdict: schemas.Verdict{Event: schemas.EventJoin, Campaign: 1, Chain: 7, User: 8}}
	d.add(f, 7, []byte("00-trace-01"))
	d.add(f, 9, nil)
	d.out(schemas.TopicCommands, []byte("7"), []byte("command"), 2)
	d.header(headerID, []byte("id"))
	d.header(headerType, []byte("type"))
	d.out(schemas.TopicResults, []byte("8"), []byte("result"), 0)
	d.seal(f, &schemas.Positions{3, 1}, 12345, &s)
	return &s
}

// TestEntryRoundTrip: what a step says is what its entry makes of it, in order (X3).
func TestEntryRoundTrip(t *testing.T) {
	t.Parallel()
	s := sampleStep(eventstore.Boundary{Seq: 10})
	var sl slab
	to := testRoutes(16)
	for range 2 { // a slab is used again
		sl.reset()
		if err := sl.load(s.entry, 5, to); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for i := range sl.records {
		r := &sl.records[i]
		line := r.Topic + "[" + label(r.Partition) + "] " + string(r.Key)
		for _, h := range r.Headers {
			line += " " + h.Key + "=" + string(h.Value)
		}
		if r.Topic != "x.hongbao.facts" {
			line += " " + string(r.Value)
		}
		got = append(got, line)
	}
	want := []string{
		"x.hongbao.facts[5] 7 traceparent=00-trace-01", "x.hongbao.facts[5] 9", "x.hongbao.facts[5] ",
		"x.coupon.commands[5] 7 ce_id=id ce_type=type command",
		"x.coupon.results[" + label(schemas.Partition([]byte("8"), 16)) + "] 8 result",
	}
	if !slices.Equal(got, want) {
		t.Errorf("records\n%q, want\n%q", got, want)
	}
	n := 0
	if err := eachFact(s.entry, func(v []byte) error {
		if !bytes.Equal(v, sl.records[n].Value) {
			t.Errorf("fact %d differs", n)
		}
		n++
		return nil
	}); err != nil || n != 3 {
		t.Errorf("%d facts: %v", n, err)
	}
}

// TestEntryDamaged: a cut entry is an error, never a panic and never fewer records that pass for all.
func TestEntryDamaged(t *testing.T) {
	t.Parallel()
	s := sampleStep(eventstore.Boundary{})
	var whole slab
	if err := whole.load(s.entry, 0, testRoutes(16)); err != nil {
		t.Fatal(err)
	}
	facts, rest, _ := cut(s.entry)
	_, outputs, _ := cut(rest)
	_ = facts
	for n := range s.entry {
		var sl slab
		err := sl.load(s.entry[:n], 0, testRoutes(16))
		// Cut exactly between two outputs an entry is a shorter one: Pebble's checksums tell.
		between := n == len(s.entry)-len(outputs) || len(sl.records) == len(whole.records)-1
		if err == nil && !between {
			t.Errorf("the first %d of %d bytes load as %d records", n, len(s.entry), len(sl.records))
		}
		if err != nil && !errors.Is(err, errEntry) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	bad := bytes.Clone(s.entry)
	bad[len(bad)-len(outputs)] = byte(schemas.Topics) // a topic that is not
	if err := new(slab).load(bad, 0, testRoutes(16)); !errors.Is(err, errEntry) {
		t.Errorf("an unknown topic: %v", err)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(sampleStep(eventstore.Boundary{Seq: 4}).entry)
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	to := testRoutes(16)
	f.Fuzz(func(t *testing.T, entry []byte) {
		var sl slab
		err := sl.load(entry, 3, to)
		if err != nil && !errors.Is(err, errEntry) {
			t.Errorf("%v", err)
		}
		n := 0
		if each := eachFact(entry, func([]byte) error { n++; return nil }); err == nil && each != nil {
			t.Errorf("loads, but its facts do not: %v", each)
		}
		if err == nil && n > len(sl.records) {
			t.Errorf("%d facts, %d records", n, len(sl.records))
		}
	})
}

// TestSeal: StepEnded comes last, and the hash is schemas': over the previous one and every fact, StepEnded without
// its own (one turn of a worker; ARCHITECTURE.md). Two steps make a chain.
func TestSeal(t *testing.T) {
	t.Parallel()
	var prev eventstore.Boundary
	for range 2 {
		s := sampleStep(prev)
		var hasher schemas.StepHasher
		hasher.Begin(prev.Hash)
		var last schemas.Fact
		seq := prev.Seq
		if err := eachFact(s.entry, func(v []byte) error {
			if err := last.Decode(v); err != nil {
				return err
			}
			if seq++; last.Seq != seq {
				t.Errorf("seq %d after %d", last.Seq, seq-1)
			}
			unhashed, _, ok := schemas.SplitStepHash(v)
			if ended := last.Kind == schemas.FactStepEnded; ended != ok {
				t.Errorf("seq %d: a hash %v in a fact of kind %d", seq, ok, last.Kind)
			}
			hasher.Add(unhashed)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if last.Kind != schemas.FactStepEnded || last.Step.Facts != 3 || last.Step.Positions != (schemas.Positions{3, 1}) || last.Step.WorkerClockMS != 12345 {
			t.Errorf("the last fact is of kind %d: %+v", last.Kind, last.Step)
		}
		if sum := hasher.Sum(); sum != s.boundary.Hash || last.Step.Hash != sum || s.boundary.Seq != seq {
			t.Errorf("boundary %d %x, StepEnded %x, the readers' hash is %x", s.boundary.Seq, s.boundary.Hash, last.Step.Hash, sum)
		}
		prev = s.boundary
	}
}
