package admission

import (
	"strings"
	"testing"
)

// A1: a script that meets another epoch or another server than the one expected changes nothing;
// and a new epoch is begun only in the place of the one that was seen.
func TestScriptsLookFirst(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, at site) {
		ctx := timeout(t)
		cfg := at.config()
		cfg.Partitions = 2
		if cfg.Prefix == "" {
			cfg.Prefix = "hongbao"
		}
		g, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := g.server
		t.Cleanup(func() { _ = s.close() })
		begin := func(expect, head string) epoch {
			t.Helper()
			seen, err := s.begin(ctx, expect, head, 2)
			if err != nil {
				t.Fatal(err)
			}
			e, err := parseEpoch(seen.raw)
			if err != nil || e.server != seen.server {
				t.Fatalf("%+v %v", seen, err)
			}
			return e
		}
		first := begin("", epochHead(1, 0xa))
		if again := begin("", epochHead(1, 0xb)); again.raw != first.raw {
			t.Fatalf("an epoch was begun over another one: %q", again.raw)
		}
		second := begin(first.raw, epochHead(2, 0xc))
		if second.number != 2 || second.marks != "00" {
			t.Fatalf("%+v", second)
		}
		elsewhere := second
		elsewhere.server = "elsewhere/0"
		pg := &page{}
		pg.reset(20)
		pg.add(func(b []byte) []byte { return g.keys.appendClaim(b, 1, 1) },
			func(b []byte) []byte { return appendValue(b, 7, 10, 0, event(1), 1, true) })
		for _, e := range []epoch{first, elsewhere} {
			if _, ok, err := s.claims(ctx, e, pg); ok || err != nil {
				t.Errorf("claims: %v %v", ok, err)
			}
			if ok, err := s.shares(ctx, e, pg); ok || err != nil {
				t.Errorf("shares: %v %v", ok, err)
			}
			if seen, err := s.mark(ctx, e, 0); seen.raw != second.raw || err != nil {
				t.Errorf("mark: %+v %v", seen, err)
			}
		}
		for p, marks := range []string{"10", "11"} {
			seen, err := s.mark(ctx, second, int32(p))
			if err != nil || !strings.HasSuffix(seen.raw, " "+marks) {
				t.Errorf("mark: %+v %v", seen, err)
			}
		}
		complete := begin("", "").with("11")
		elsewhere.raw = complete.raw
		for _, e := range []epoch{second, elsewhere, complete} {
			c := newCall()
			c.encode(&g.keys, g.Limit(), 0, []Ask{join(1, 10, 1)})
			b := newBatch(g.Limit())
			b.spans = append(b.spans, span{call: c, n: 1})
			b.sort()
			ok, err := s.admit(ctx, e, b)
			if wanted := e == complete; ok != wanted || err != nil || (c.ops[0].answer.Claim == Yes) != wanted {
				t.Errorf("epoch %+v: judged %v, answer %+v, %v", e, ok, c.ops[0].answer, err)
			}
		}
	})
}
