package schemas

// Limits of an input record. A record beyond one of them is a dead letter with a reason, never a
// crash and never an allocation of its own size.
const (
	MaxRecordBytes  = 1 << 20 // value of one record
	MaxStringBytes  = 256     // one string field or CloudEvents attribute
	MaxOrderIDBytes = 128     // order_id
	MaxHeaders      = 32      // headers of one record
	MaxHeaderBytes  = 8 << 10 // keys and values of all headers of one record together
)

// MaxCampaignBytes is the size of a campaign file, whose text travels whole in a fact.
const MaxCampaignBytes = 64 << 10

// MaxCount bounds stock and money, in pieces and in minor units: Redis scripts count in doubles, exact up to 2^53.
const MaxCount = 1<<53 - 1
