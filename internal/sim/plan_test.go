//go:build synctests

package sim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"hongbao/schemas"
)

// plan is everything that a seed draws before it begins.
type plan struct {
	Seed      uint64
	Instances int
	Lanes     int
	Brokers   int
	OpenMax   int
	Sync      int
	Events    int
	Beyond    string
	Stock     int
	Budget    int
	Focus     string
	Faults    []fault
}

// actFor is how long inputs come and faults are made.
const actFor = 12 * time.Second

func draw(seed uint64, drop []int) *plan {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := &plan{
		Seed: seed, Instances: 1, Lanes: 1 + rng.IntN(2), Brokers: 1 + rng.IntN(2), OpenMax: []int{4, 16, 128}[rng.IntN(3)],
		Sync: rng.IntN(3), Events: 200 + rng.IntN(80), Beyond: []string{"link", "refuse"}[rng.IntN(2)],
		Stock: 5 + rng.IntN(60), Budget: 3000 + rng.IntN(60000),
	}
	if rng.IntN(2) == 0 {
		p.Instances = 2 + rng.IntN(4)
	}
	p.drawFaults(rng)
	p.drawMore()
	p.drawRarer()
	if *flagFocus != "" {
		p.focus(*flagFocus, rng)
	} else if seed%50 == 49 { // each focus has its turn in the common draw, too
		names := slices.Sorted(maps.Keys(focuses))
		p.focus(names[int(seed/50)%len(names)], rng)
	}
	for i := range p.Faults {
		p.Faults[i].Index = i
	}
	p.Faults = slices.DeleteFunc(p.Faults, func(f fault) bool { return slices.Contains(drop, f.Index) })
	return p
}

// campaigns are three: one that runs, one of the future, one that has ended.
func (p *plan) campaigns(texts *schemas.CampaignTexts) []*schemas.Campaign {
	var out []*schemas.Campaign
	for _, text := range []string{p.campaign(1, 1, "1990-01-01", "2090-01-01"), p.campaign(2, 1, "2080-01-01", "2090-01-01"), p.campaign(3, 1, "1990-01-01", "1999-01-01")} {
		c, err := texts.Parse("sim.yaml", []byte(text))
		if err != nil {
			panic(err)
		}
		out = append(out, c)
	}
	return out
}

func (p *plan) campaign(id, version int, from, to string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `campaign: %d
version: %d
starts: %sT00:00:00Z
ends: %sT00:00:00Z
max_depth: 3
beyond: %s
acknowledge_levels: true
budget: {CNY: %d}
coupons:
  five: {stock: %d, valid_for: 720h, value_minor: 500, currency: CNY}
  brief: {stock: 1000, valid_for: 4s, value_minor: 10, currency: EUR}
rewards:
  - {id: welcome, on: join, to: invitee, coupon: five}
  - {id: host, on: join, to: inviter, coupon: brief}
  - {id: l1, on: join, to: level, level: 1, coupon: brief}
  - {id: l3, on: join, to: level, level: 3, coupon: five}
  - {id: two, on: direct_joins, every: 2, repeat: true, to: inviter, coupon: brief}
  - {id: one, on: direct_joins, every: 3, to: inviter, coupon: five}
  - {id: own, on: purchase, to: buyer, coupon: brief}
  - {id: thanks, on: purchase, to: inviter, coupon: brief}
  - {id: buy, on: purchase, min_minor: 5000, to: level, level: 1, coupon: five}
`, id, version, from, to, p.Beyond, p.Budget, p.Stock)
	return b.String()
}

func codeKeys() *schemas.CodeKeys {
	secret := base64.StdEncoding.EncodeToString([]byte("a secret of the simulation alone"))
	k, err := schemas.ParseCodeKeys("sim.keys", []byte("keys: [{id: 7, mint: true, secret: "+secret+"}]"))
	if err != nil {
		panic(err)
	}
	return k
}
