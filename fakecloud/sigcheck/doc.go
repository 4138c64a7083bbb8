// Package sigcheck verifies request signatures as a strict service would. It
// shares no code with the signer package, so that a mistake there shows here.
//
//	ACS3    Alibaba Cloud, ACS3-HMAC-SHA256
//	RPCV1   Alibaba Cloud, the older HMAC-SHA1 over query and form parameters
//	Huawei  Huawei Cloud, SDK-HMAC-SHA256 and V11-HMAC-SHA256
//
// Each takes the request as a server received it and the body bytes that came
// with it, and gives the signer's identity or a *Failure with the status and
// code of the real service.
//
// Left to the caller: refusing a nonce seen before, expired or inactive keys,
// and comparing the region and service that V11 was signed for with its own.
//
// Two differences are invisible to every correct verifier, since the published
// rules do not sign them: Huawei's paths with and without a final slash are
// signed alike, and so are a parameter with an empty value and one without '='.
package sigcheck
