package fsm

import "hongbao/schemas"

// demoCampaign has stock for every test that does not ask about stock.
func demoCampaign() *schemas.Campaign {
	return &schemas.Campaign{ID: 1, Version: 1, Coupons: []schemas.CouponKind{{Name: []byte("five"), Stock: 1_000_000}}}
}

func demoRequest(n uint64) Request {
	return Request{ID: testID(n), Campaign: 1, Beneficiary: int64(n), Kind: "five", ValueMinor: 500, Currency: "CNY"}
}
