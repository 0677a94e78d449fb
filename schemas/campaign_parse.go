package schemas

import (
	"crypto/sha256"
	_ "embed" // the built-in campaign
	"fmt"
	"math"
	"strings"
	"time"
)

// Bounds of a campaign file (domain.md section 5).
const (
	MaxCampaignID   = math.MaxInt32
	MaxDepthLimit   = 16 // of max_depth: every walk up or down is bounded by it
	MaxCouponKinds  = 64
	MaxRewardRules  = 64
	defaultMaxDepth = 5

	// freeLevels need no acknowledgement: paying further up is what pyramid-selling law is about.
	freeLevels = 2
)

//go:embed demo.yaml
var demoCampaignText []byte

// DemoCampaign is the built-in campaign DemoCampaignID, "demo": what runs when no file is given.
func DemoCampaign() *Campaign {
	c, err := ParseCampaign("built-in demo.yaml", demoCampaignText)
	if err != nil {
		panic(fmt.Sprintf("schemas: the built-in campaign: %v", err))
	}
	return c
}

// ParseCampaign parses and checks a campaign file; name is the file's, for sentences. The error
// names file, line, key, value and rule. Campaign.Text is a copy of text.
func ParseCampaign(name string, text []byte) (*Campaign, error) {
	file := &yamlFile{name: name}
	root := file.root(text, MaxCampaignBytes)
	c := &Campaign{Name: name, Text: append([]byte(nil), text...), SHA256: sha256.Sum256(text)}
	if file.err == nil {
		c.read(&root)
	}
	if file.err != nil {
		return nil, file.err
	}
	return c, nil
}

func (c *Campaign) read(root *yamlSection) {
	root.only("campaign", "version", "starts", "ends", "max_depth", "beyond", "acknowledge_levels", "budget", "coupons", "rewards")
	c.ID = root.integer("campaign", 1, MaxCampaignID)
	c.Version = root.integer("version", 1, MaxCount)
	c.StartsMS = readTime(root, "starts")
	c.EndsMS = readTime(root, "ends")
	if root.file.err == nil && c.StartsMS >= c.EndsMS {
		root.refuse("ends", "want a time after starts (%s)", root.text("starts"))
	}
	c.MaxDepth = defaultMaxDepth
	if root.has("max_depth") {
		c.MaxDepth = int32(root.integer("max_depth", 1, MaxDepthLimit)) //nolint:gosec // at most MaxDepthLimit
	}
	if root.has("beyond") {
		c.Refuse = readWord(root, "beyond", "beyond", "link", "refuse") == "refuse"
	}
	acknowledged := root.flag("acknowledge_levels")
	c.readBudget(root)
	c.readCoupons(root)
	c.readRewards(root, acknowledged)
}

// readTime reads RFC 3339 into Unix milliseconds, from 1970 on.
func readTime(s *yamlSection, key string) int64 {
	text := s.text(key)
	if text == "" {
		return 0
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.UnixMilli() < 0 {
		s.refuse(key, "want an RFC 3339 time from 1970 on, such as 2026-11-01T00:00:00+08:00")
		return 0
	}
	return at.UnixMilli()
}

// readWord reads one of a few words; what says whose words they are.
func readWord(s *yamlSection, key, what string, words ...string) string {
	text := s.text(key)
	for _, word := range words {
		if text == word {
			return word
		}
	}
	if s.has(key) {
		s.refuse(key, "%s is one of %s", what, strings.Join(words, ", "))
	}
	return ""
}

func (c *Campaign) readBudget(root *yamlSection) {
	if !root.has("budget") {
		return
	}
	budget := root.section("budget")
	for _, currency := range budget.names {
		if !isCurrency([]byte(currency)) {
			budget.refuse(currency, "its key is a currency: three capital letters (ISO 4217)")
		}
		c.Budget = append(c.Budget, Budget{Currency: []byte(currency), Minor: budget.integer(currency, 0, MaxCount)})
	}
}

func (c *Campaign) readCoupons(root *yamlSection) {
	coupons := root.section("coupons")
	if n := len(coupons.names); n < 1 || n > MaxCouponKinds {
		root.file.refuse(coupons.line, "coupons has %d kinds; a campaign has 1..%d", n, MaxCouponKinds)
		return
	}
	for _, name := range coupons.names {
		if !isName(name) {
			root.file.refuse(coupons.line, "coupons has the kind %s; a kind's name is %s", quoteString(name), nameRule)
		}
		kind := coupons.section(name)
		kind.only("stock", "valid_for", "value_minor", "currency")
		c.Coupons = append(c.Coupons, CouponKind{
			Name:       []byte(name),
			Stock:      kind.integer("stock", 0, MaxCount),
			ValidForMS: readDuration(&kind, "valid_for"),
			ValueMinor: kind.integer("value_minor", 0, MaxCount),
			Currency:   readCurrency(&kind, "currency"),
		})
	}
}

// readDuration reads a Go duration of whole milliseconds.
func readDuration(s *yamlSection, key string) int64 {
	text := s.text(key)
	d, err := time.ParseDuration(text)
	if s.has(key) && (err != nil || d < time.Millisecond) {
		s.refuse(key, "want a Go duration above 0, such as 720h")
	}
	return d.Milliseconds()
}

func readCurrency(s *yamlSection, key string) []byte {
	text := []byte(s.text(key))
	if s.has(key) && !isCurrency(text) {
		s.refuse(key, "want three capital letters (ISO 4217)")
	}
	return text
}
