package verify

import (
	"strings"
	"testing"

	"hongbao/schemas"
)

// BenchmarkRun is reading from memory and checking: chains of one share and 20 joins, every code
// verified, on one goroutine. One operation is the whole log.
func BenchmarkRun(b *testing.B) {
	w := newWorld(b)
	p := w.parts[0]
	head, _, _ := strings.Cut(string(w.campaign.Text), "  - {id: welcome")
	quiet, err := schemas.ParseCampaign("purchases only", []byte(head+"  - {id: buy, on: purchase, min_minor: 5000, to: level, level: 1, coupon: five_off}\n"))
	if err != nil {
		b.Fatal(err)
	}
	w.campaign = quiet
	far := w.campaign.EndsMS/1000 + 1
	minter := schemas.NewCodeMinter(schemas.DemoCodeKeys())
	p.activate()
	events := 0
	for n := range 5000 {
		seed := p.userID(n % 100)
		if n >= 100 {
			seed += int64(n) << 32
			if schemas.Partition(schemas.AppendKey(nil, seed), worldPartitions) != p.id {
				continue
			}
		}
		code := string(minter.Append(nil, schemas.Code{Campaign: 1, Chain: seed, Inviter: seed, ExpiresS: far}))
		p.accept(p.send(&wevent{kind: schemas.EventShare, ms: w.at(1), chain: seed, user: seed, code: code, expires: far}), 0)
		for j := range 20 {
			e := p.send(&wevent{kind: schemas.EventJoin, ms: w.at(2), chain: seed, user: seed + int64(j+1)*7919, inviter: seed, code: code})
			p.accept(e, 1)
		}
		events += 21
		p.end()
	}
	c := config(w.build())
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if r := mustRun(b, c); !r.OK {
			b.Fatal(printed(b, r))
		}
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}
