// timingSafeEqual compares what was sent with a secret in a time that says nothing of either: of their digests, which are of
// one length and which nobody can steer.
export async function timingSafeEqual(sent, secret) {
  const encoder = new TextEncoder();
  const [a, b] = await Promise.all([sent, secret].map((text) => crypto.subtle.digest("SHA-256", encoder.encode(text))));
  return crypto.subtle.timingSafeEqual(a, b);
}
