package cascade

// The demo's size: of 4,940 good events 72 % are joins. The built-in campaign grants two
// coupons a join, one for every tenth join of an inviter and at most one a purchase: about
// 7,670 at the very most, below the 8,000 that can be issued while somebody watches.
const (
	demoEvents = 5200
	demoChains = 24
	demoSpanMS = 3 * 24 * 3600 * 1000
)

// Demo is a small stream of real shape in which everything happens: joins, shares that lead
// to nothing, purchases, one of them reversed, duplicates, and every default kind of bad record.
func Demo(seed uint64, cfg Config) (*Synthetic, error) {
	return NewSynthetic(SyntheticConfig{
		Config: cfg, Seed: seed, Events: demoEvents, Chains: demoChains,
		Mix:       Mix{Shares: 24, Joins: 72, Purchases: 4},
		Reversals: 1, Duplicate: 2, Bad: 3, SpanMS: demoSpanMS,
	})
}
