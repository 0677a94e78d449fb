package projections

import (
	"fmt"

	"hongbao/schemas"
)

// appendRules writes what changes by rare facts: rules, switches and top-ups.
func (c *campaign) appendRules(dst []byte) []byte {
	dst = appendString(dst, c.Rules.Text)
	dst = appendInt(dst, c.ActivatedSeq)
	dst = appendBool(appendBool(dst, c.Paused), c.Stopped)
	dst = appendInt(dst, c.Change)
	dst = appendInt(dst, int64(len(c.TopUps)))
	for _, t := range c.TopUps {
		dst = appendString(appendInt(dst, t.Number), t.Coupon)
		dst = appendString(appendInt(dst, t.StockDelta), t.BudgetCurrency)
		dst = appendInt(dst, t.BudgetDeltaMinor)
	}
	return dst
}

func (c *campaign) readRules(src []byte, texts *schemas.CampaignTexts) error {
	r := recordReader{b: src}
	text := append([]byte(nil), r.bytes()...)
	c.ActivatedSeq = r.int()
	c.Paused, c.Stopped = r.bool(), r.bool()
	c.Change = r.int()
	for range r.small(int64(len(src))) {
		c.TopUps = append(c.TopUps, TopUp{Number: r.int(), Coupon: r.string(), StockDelta: r.int(), BudgetCurrency: r.string(), BudgetDeltaMinor: r.int()})
	}
	if err := r.end(fmt.Sprintf("rules of campaign %d", c.id)); err != nil {
		return err
	}
	var err error
	if c.Rules, err = texts.Parse(fmt.Sprintf("campaign %d of the store", c.id), text); err != nil {
		return err
	}
	if c.Rules.ID != c.id {
		return fmt.Errorf("%w: rules of campaign %d under key %d", errRecord, c.Rules.ID, c.id)
	}
	return nil
}

// appendCounts writes what changes with every event: sizes of the tables, statistics.
func (c *campaign) appendCounts(dst []byte) []byte {
	for _, n := range [...]uint32{c.members.next, c.inviters.next, c.chains.next, c.shares.next, c.shareFloor} {
		dst = appendInt(dst, int64(n))
	}
	return c.Stats.appendTo(dst)
}

func (c *campaign) readCounts(src []byte) error {
	r := recordReader{b: src}
	for _, next := range [...]*uint32{&c.members.next, &c.inviters.next, &c.chains.next, &c.shares.next, &c.shareFloor} {
		*next = r.uint32()
	}
	c.Stats.readFrom(&r)
	return r.end(fmt.Sprintf("counts of campaign %d", c.id))
}
