package huaweicloud

import (
	"errors"
	"fmt"

	"github.com/cloudlb/cloudlb"
)

// service is the Service of this package's errors; their Operation names the
// source.
const service = "huaweicloud"

// none is the error of a source that has no credentials. format may wrap an
// error by %w.
func none(source, format string, args ...any) *cloudlb.Error {
	return failure(source, cloudlb.ClassUnauthenticated, fmt.Errorf(format, args...))
}

func failure(source string, class cloudlb.Class, err error) *cloudlb.Error {
	return &cloudlb.Error{Service: service, Operation: source, Class: class, Outcome: cloudlb.OutcomeNotSent, Err: err}
}

// halfSet is the cause of an error of a source that somebody has set up, but not
// rightly. It ends the search of a chain: the next source would be another
// identity than the one that was meant.
type halfSet string

func (h halfSet) Error() string { return string(h) }

func misused(source, format string, args ...any) *cloudlb.Error {
	return failure(source, cloudlb.ClassUnauthenticated, halfSet(fmt.Sprintf(format, args...)))
}

func isMisused(err error) bool {
	_, ok := errors.AsType[halfSet](err)
	return ok
}

func invalid(source string, problems []cloudlb.Problem) *cloudlb.Error {
	return failure(source, cloudlb.ClassInvalid, &cloudlb.ValidationError{Problems: problems})
}
