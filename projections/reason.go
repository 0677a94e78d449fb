package projections

import pb "hongbao/schemas/invitepb"

// Reasons of refused events, in the order of the checks (domain.md section 2).
const (
	reasonAlreadyInvited   = pb.Reason_REASON_ALREADY_INVITED
	reasonBadCode          = pb.Reason_REASON_BAD_CODE
	reasonExpiredCode      = pb.Reason_REASON_EXPIRED_CODE
	reasonNotStarted       = pb.Reason_REASON_CAMPAIGN_NOT_STARTED
	reasonClosed           = pb.Reason_REASON_CAMPAIGN_CLOSED
	reasonPaused           = pb.Reason_REASON_CAMPAIGN_PAUSED
	reasonSelfInvite       = pb.Reason_REASON_SELF_INVITE
	reasonUnknownUser      = pb.Reason_REASON_UNKNOWN_USER
	reasonUnknownInviter   = pb.Reason_REASON_UNKNOWN_INVITER
	reasonUnknownOrder     = pb.Reason_REASON_UNKNOWN_ORDER
	reasonCycle            = pb.Reason_REASON_CYCLE
	reasonNoActiveShare    = pb.Reason_REASON_NO_ACTIVE_SHARE
	reasonDepthExceeded    = pb.Reason_REASON_DEPTH_EXCEEDED
	reasonShareLimit       = pb.Reason_REASON_SHARE_LIMIT
	reasonClaimedElsewhere = pb.Reason_REASON_CLAIMED_ELSEWHERE

	// Of dead letters.
	reasonUnknownCampaign = pb.Reason_REASON_UNKNOWN_CAMPAIGN
)
