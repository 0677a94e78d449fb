package cascade

import "testing"

// BenchmarkSynthetic is the load of the pipeline benchmark: 100,000 chains, one of them with
// a fifth of the events, 2 % duplicates, 1 % bad. Bar: 1,000,000 records a second on one core.
func BenchmarkSynthetic(b *testing.B) {
	s := testSynthetic(b, func(c *SyntheticConfig) {
		c.Events, c.Chains, c.Giant = max(int64(b.N), 400_000), 100_000, 0.2
	})
	b.ReportAllocs()
	n := 0
	for rec := range s.Records() {
		if n == 0 {
			b.ResetTimer()
		}
		b.SetBytes(int64(len(rec.Value)))
		if n++; n == b.N {
			break
		}
	}
}

func BenchmarkCascades(b *testing.B) {
	shape := Fitted()
	seq, _, err := Records(shape.Grow(1, 100, 50_000), testConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; {
		for range seq {
			if n++; n == b.N {
				break
			}
		}
	}
}

func BenchmarkParseEdge(b *testing.B) {
	line := []byte("reply: ['1291504459751858176','272.0']->['1291503317173116930','0.0']")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseEdge(line); err != nil {
			b.Fatal(err)
		}
	}
}
