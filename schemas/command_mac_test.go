package schemas

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestCommandMAC: what hongbao signed verifies after a trip through Kafka; with anything in it changed it does not.
func TestCommandMAC(t *testing.T) {
	t.Parallel()
	keys := codeKeys(t, rotatingKeys)
	signer, verifier := NewCommandSigner(keys), NewCommandVerifier(keys)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		c.HasCouponID, c.FactSeq, c.CommandID = true, max(c.FactSeq, 1), nil
		signer.Sign(c)
		var got Command
		if err := got.Decode(AppendCommand(nil, c)); err != nil {
			t.Fatal(err)
		}
		if status := verifier.Verify(&got); status != CodeGood || got.MAC[0] != 2 {
			t.Fatalf("status %d under key %d", status, got.MAC[0])
		}
		change := rapid.SampledFrom([]func(c *Command){
			func(c *Command) { c.CouponID[3] ^= 1 },
			func(c *Command) { c.Campaign ^= 1 },
			func(c *Command) { c.Chain ^= 1 },
			func(c *Command) { c.Beneficiary ^= 1 },
			func(c *Command) { c.Coupon = append(bytes.Clone(c.Coupon), 'x') },
			func(c *Command) { c.Rule = append(bytes.Clone(c.Rule), 'x') },
			func(c *Command) { c.FactSeq ^= 1 },
			func(c *Command) { c.ValueMinor++ },
			func(c *Command) { c.Currency = append(bytes.Clone(c.Currency), 'X') },
			func(c *Command) { c.ValidForMS ^= 1 },
			func(c *Command) { c.OrderID = append(bytes.Clone(c.OrderID), 'x') },
			func(c *Command) { c.MAC = append(bytes.Clone(c.MAC[:10]), c.MAC[10]^1) },
			func(c *Command) { c.MAC = c.MAC[:10] },
		}).Draw(t, "change")
		change(&got)
		if status := verifier.Verify(&got); status != CodeForged {
			t.Fatalf("changed, and status %d", status)
		}
	})
}

// TestCommandMACRotation: the signatures of both live keys verify, those of a dropped one do not.
func TestCommandMACRotation(t *testing.T) {
	t.Parallel()
	first := codeKeys(t, `keys: [{id: 1, secret: MDEyMzQ1Njc4OWFiY2RlZg==, mint: true}]`)
	both := codeKeys(t, rotatingKeys)
	last := codeKeys(t, `keys: [{id: 2, secret: ZmVkY2JhOTg3NjU0MzIxMA==, mint: true}]`)
	for i, c := range []struct {
		signer, verifier *CodeKeys
		want             CodeStatus
	}{
		{first, both, CodeGood},
		{both, both, CodeGood},
		{both, last, CodeGood},
		{both, first, CodeMissing},
		{first, last, CodeMissing},
		{first, DemoCodeKeys(), CodeMissing},
	} {
		cmd := Command{HasCouponID: true, FactSeq: 7, Campaign: 1, Chain: 2, Beneficiary: 3, Coupon: []byte("a")}
		NewCommandSigner(c.signer).Sign(&cmd)
		if got := NewCommandVerifier(c.verifier).Verify(&cmd); got != c.want {
			t.Errorf("case %d: status %d, want %d", i, got, c.want)
		}
	}
	if got := NewCommandVerifier(both).Verify(&Command{FactSeq: 7}); got != CodeMissing {
		t.Errorf("unsigned: status %d", got)
	}
}

func BenchmarkCommandSign(b *testing.B) {
	c := newHotFixture(b).command
	s := NewCommandSigner(DemoCodeKeys())
	b.ReportAllocs()
	for b.Loop() {
		s.Sign(c)
	}
}
