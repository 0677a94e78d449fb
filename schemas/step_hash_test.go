package schemas

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// The one-shot and the streaming form agree, and the hash field is taken off as it was put on.
func TestStepHash(t *testing.T) {
	t.Parallel()
	var h StepHasher
	rapid.Check(t, func(t *rapid.T) {
		var prev Hash
		copy(prev[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "prev"))
		buf := append([]byte(nil), prev[:]...)
		h.Begin(prev)
		var value []byte
		for range rapid.IntRange(1, 40).Draw(t, "facts") {
			f := drawFact(t)
			f.Step.Hash = Hash{}
			value = AppendFact(nil, f)
			buf = AppendHashed(buf, value)
			h.Add(value)
		}
		sum := HashStep(buf)
		if got := h.Sum(); got != sum {
			t.Fatalf("streamed %x, at once %x", got, sum)
		}
		unhashed, found, ok := SplitStepHash(AppendStepHash(bytes.Clone(value), sum))
		if !ok || found != sum || !bytes.Equal(unhashed, value) {
			t.Fatalf("split into %x and %x (%t)", unhashed, found, ok)
		}
		if _, _, ok := SplitStepHash(value); ok {
			t.Fatal("a hash was found where none was put")
		}
	})
}

// Each bit of a fact, and the order of facts, is in the hash.
func TestStepHashCoversEverything(t *testing.T) {
	t.Parallel()
	var prev Hash
	sum := func(values ...string) Hash {
		buf := append([]byte(nil), prev[:]...)
		for _, v := range values {
			buf = AppendHashed(buf, []byte(v))
		}
		return HashStep(buf)
	}
	base := sum("ab", "c")
	for _, other := range []Hash{sum("a", "bc"), sum("c", "ab"), sum("ab"), sum("ab", "c", ""), sum("ab", "d")} {
		if other == base {
			t.Fatal("two steps have one hash")
		}
	}
	prev[15] = 1
	if sum("ab", "c") == base {
		t.Fatal("the step before is not in the hash")
	}
}

func TestSplitStepHashRefuses(t *testing.T) {
	t.Parallel()
	step := AppendFact(nil, &Fact{Seq: 3, Kind: FactStepEnded, Step: StepEnded{Hash: Hash{1}}})
	twice := AppendStepHash(bytes.Clone(step), Hash{2})
	first := append(AppendStepHash(nil, Hash{1}), 1<<3, 3)
	// A position that ends in what looks like a hash field: the walk sees it is inside a message.
	inside := append([]byte{1 << 3, 3, 5<<3 | 2, 18}, AppendStepHash(nil, Hash{1})...)
	for name, value := range map[string][]byte{
		"empty": nil, "hash alone cut": step[len(step)-17:], "two hashes": twice, "hash first": first, "inside": inside, "cut": step[:len(step)-1],
	} {
		if unhashed, _, ok := SplitStepHash(value); ok || !bytes.Equal(unhashed, value) {
			t.Errorf("%s: ok %t", name, ok)
		}
	}
}
