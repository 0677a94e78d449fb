package main

import (
	"fmt"
	"strings"

	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

const reasonPrefix = "REASON_"

// reasonName is the reason as answers and --reason have it: EXHAUSTED; empty for none.
func reasonName(r schemas.Reason) string {
	if r == 0 {
		return ""
	}
	return strings.TrimPrefix(r.String(), reasonPrefix)
}

// parseReason reads --reason; empty is none.
func parseReason(text string) (schemas.Reason, error) {
	if text == "" {
		return 0, nil
	}
	number, ok := pb.Reason_value[reasonPrefix+text]
	if !ok || number == 0 {
		return 0, fmt.Errorf("--reason %q: there is no such reason; want one as lists print it, such as EXHAUSTED or UNKNOWN_CAMPAIGN", text)
	}
	return schemas.Reason(number), nil
}
