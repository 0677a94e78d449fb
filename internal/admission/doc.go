// Package admission asks Redis what one partition cannot know: whether another chain has claimed
// a user, and how many links a user has shared in the hour (design.md X10, domain.md section 4).
package admission
