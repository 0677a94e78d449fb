package schemas

import (
	"bytes"
	"math"
)

func (c *Campaign) readRewards(root *yamlSection, acknowledged bool) {
	if !root.has("rewards") {
		return // a campaign may only watch
	}
	rewards := root.list("rewards")
	if len(rewards) > MaxRewardRules {
		root.file.refuse(yamlLine(root.nodes["rewards"]), "rewards has %d rules; a campaign has at most %d", len(rewards), MaxRewardRules)
		return
	}
	for i := range rewards {
		rule := c.readRule(&rewards[i])
		for _, other := range c.Rules {
			if root.file.err == nil && bytes.Equal(other.ID, rule.ID) {
				rewards[i].refuse("id", "another rule has that id; coupon ids are made from it")
			}
		}
		if rule.To == ToLevel && rule.Level > freeLevels && !acknowledged {
			rewards[i].refuse("level", "a reward above level %d needs acknowledge_levels: true (compliance with pyramid-selling law; not legal advice)", freeLevels)
		}
		c.Rules = append(c.Rules, rule)
	}
}

func (c *Campaign) readRule(s *yamlSection) (r Rule) {
	s.only("id", "on", "to", "level", "every", "repeat", "min_minor", "coupon")
	r.ID = []byte(s.text("id"))
	if s.has("id") && !isName(string(r.ID)) {
		s.refuse("id", "a rule's id is %s", nameRule)
	}
	c.readTrigger(s, &r)
	c.readBeneficiary(s, &r)
	name := []byte(s.text("coupon"))
	r.Coupon = -1
	for i := range c.Coupons {
		if bytes.Equal(c.Coupons[i].Name, name) {
			r.Coupon = int32(i)
		}
	}
	if r.Coupon < 0 && s.has("coupon") {
		s.refuse("coupon", "want the name of one of the campaign's coupons")
	}
	return r
}

// readTrigger reads `on` and the keys that go with one trigger only.
func (c *Campaign) readTrigger(s *yamlSection, r *Rule) {
	switch readWord(s, "on", "a trigger", "join", "direct_joins", "purchase") {
	case "join":
		r.On = OnJoin
	case "direct_joins":
		r.On = OnDirectJoins
		r.Every = s.integer("every", 1, math.MaxInt32)
		r.Repeat = s.flag("repeat")
	case "purchase":
		r.On = OnPurchase
		if s.has("min_minor") {
			r.MinMinor = s.integer("min_minor", 0, MaxCount)
		}
	}
	for _, key := range [...]string{"every", "repeat"} {
		if s.has(key) && r.On != OnDirectJoins {
			s.refuse(key, "%s goes with on: direct_joins only", key)
		}
	}
	if s.has("min_minor") && r.On != OnPurchase {
		s.refuse("min_minor", "min_minor goes with on: purchase only")
	}
}

// readBeneficiary reads `to`, which depends on the trigger, and level.
func (c *Campaign) readBeneficiary(s *yamlSection, r *Rule) {
	var to string
	switch r.On {
	case OnJoin:
		to = readWord(s, "to", "whom a join pays", "invitee", "inviter", "level")
	case OnDirectJoins:
		to = readWord(s, "to", "whom direct_joins pay", "inviter")
	case OnPurchase:
		to = readWord(s, "to", "whom a purchase pays", "buyer", "inviter", "level")
	}
	switch to {
	case "invitee":
		r.To = ToInvitee
	case "inviter":
		r.To = ToInviter
	case "buyer":
		r.To = ToBuyer
	case "level":
		r.To = ToLevel
		r.Level = int32(s.integer("level", 1, int64(c.MaxDepth))) //nolint:gosec // at most MaxDepth
	}
	if s.has("level") && r.To != ToLevel {
		s.refuse("level", "level goes with to: level only")
	}
}
