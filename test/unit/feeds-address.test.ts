import fc from "fast-check";
import { expect, test } from "vitest";
import { fullAddress, redact, shownAddress } from "../../device/feeds/address.ts";
import { faultReason } from "../../device/feeds/fault-reasons.ts";
import { answerChallenge } from "../../device/feeds/http-auth.ts";
import { cameraFeed, microphoneFeed } from "../support/feed-recorder.ts";

test("an address is shown without user, password and query", () => {
  expect(shownAddress("rtsp://me:secret@10.0.0.5:554/cam?pwd=hidden")).toBe("rtsp://10.0.0.5:554/cam");
  expect(shownAddress("v4l2:/dev/video0")).toBe("/dev/video0");
});

test("the child's address holds user and password, whatever characters they have", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (user, password) => {
      const address = fullAddress("rtsp://10.0.0.5/cam?a=1", { user, password });
      const url = new URL(address);
      expect(decodeURIComponent(url.username)).toBe(user);
      expect(decodeURIComponent(url.password)).toBe(password);
      expect(`${url.host}${url.pathname}${url.search}`).toBe("10.0.0.5/cam?a=1");
      expect(address).not.toMatch(/['\n]/);
    }),
  );
});

test("the feed's own user and password go before those in its URL", () => {
  expect(fullAddress("rtsp://old:gone@host/cam", { user: "new", password: "word" })).toBe(
    "rtsp://new:word@host/cam",
  );
  expect(fullAddress("rtsp://old:kept@host/cam", {})).toBe("rtsp://old:kept@host/cam");
});

test("no text of ffmpeg's shows a password, as it is or encoded", () => {
  const feed = { source: "rtsp://10.0.0.5/cam", user: "viewer", password: "p'a ss" };
  const text = "Impossible to open 'rtsp://viewer:p%27a%20ss@10.0.0.5/cam?tcp' (p'a ss)";
  expect(redact(text, feed.source, feed)).toBe("Impossible to open 'rtsp://10.0.0.5/cam' (…)");
});

const reasons: [string, ReturnType<typeof cameraFeed> | ReturnType<typeof microphoneFeed>, string, RegExp][] =
  [
    [
      "a wrong password",
      cameraFeed("rtsp://h/c"),
      "pipe:0: Server returned 401 Unauthorized (authorization failed)",
      /wrong user or password for rtsp:\/\/h\/c/,
    ],
    [
      "a refused connection",
      cameraFeed("rtsp://h/c"),
      "pipe:0: Connection refused",
      /connection refused.*check that it is on/,
    ],
    [
      "an unknown host",
      cameraFeed("http://h/c"),
      "Failed to resolve hostname h: Name or service not known",
      /check its name/,
    ],
    [
      "a missing camera",
      cameraFeed("v4l2:/dev/video9"),
      "/dev/video9: No such file or directory",
      /no such device \/dev\/video9/,
    ],
    [
      "a camera of another group",
      cameraFeed("v4l2:/dev/video0"),
      "/dev/video0: Permission denied",
      /add the user to the video group/,
    ],
    [
      "a microphone of another group",
      microphoneFeed("alsa:hw:1,0"),
      "cannot open audio device hw:1,0 (Permission denied)",
      /add the user to the audio group/,
    ],
    [
      "a missing microphone",
      microphoneFeed("alsa:hw:9,0"),
      "cannot open audio device hw:9,0 (No such file or directory)",
      /no such sound device hw:9,0/,
    ],
    [
      "a missing file",
      cameraFeed("file:/nope.mp4"),
      "file:/nope.mp4: No such file or directory",
      /file not found: \/nope\.mp4/,
    ],
    [
      "a file that is no video",
      cameraFeed("file:/x"),
      "file:/x: Invalid data found when processing input",
      /nothing that can be decoded/,
    ],
  ];
for (const [name, feed, line, words] of reasons)
  test(`${name} is said in words that say what to do`, () => {
    expect(faultReason(feed, ["something before", line], "ffmpeg ended")).toMatch(words);
  });

test("a Digest challenge is answered as RFC 2617's own example", () => {
  const challenge =
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"';
  const login = { user: "Mufasa", password: "Circle Of Life" };
  const header = answerChallenge(challenge, login, "GET", "/dir/index.html", "0a4f113b");
  expect(header).toContain('response="6629fae49393a05397450978507c4ef1"');
});

test("a challenge of a scheme that is not known is not answered", () => {
  expect(answerChallenge("Negotiate", { user: "a", password: "b" }, "GET", "/")).toBeUndefined();
});
