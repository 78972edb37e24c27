import { adTypes, eventTypes } from "@adstream/contracts/ad-interaction";
import { randomAt, seekableRandom } from "@adstream/traffic/random";
import type { AdInteraction } from "@adstream/contracts/ad-interaction";

/** What is drawn of an interaction: all but its times. */
export type Drawn = Pick<
  AdInteraction,
  "user_id" | "page_id" | "ad_id" | "ad_type" | "event_type" | "ip_address" | "campaign_id"
> & {
  /** The ad's id, as bytes. */
  readonly key: Uint8Array;
};

const campaigns = 10;
const adsPerCampaign = 100;
const users = 1_000;
const pages = 100;
const addresses = 1_000;

/** An ad keeps its campaign and its type. */
type Ad = Pick<Drawn, "ad_id" | "ad_type" | "campaign_id" | "key">;

/**
 * Seeded interactions, each ad and each event type equally often.
 * @returns the next one; the same object every time, overwritten by the next call
 */
export function interactions(seed: number): () => Drawn {
  const ads = allAds();
  const userIds = numbered("user_", users);
  const pageIds = numbered("page_", pages);
  const ipAddresses = Array.from({ length: addresses }, (_, index) => ipAddress(seed, index));
  const blank: Drawn = {
    ...at(ads, 0),
    user_id: "",
    page_id: "",
    event_type: "view",
    ip_address: "",
  };
  const drawn = { ...blank };
  const { random, seek } = seekableRandom(seed);
  let index = 0;
  return () => {
    seek(index++);
    const { ad_id, ad_type, campaign_id, key } = at(ads, random());
    drawn.ad_id = ad_id;
    drawn.ad_type = ad_type;
    drawn.campaign_id = campaign_id;
    drawn.key = key;
    drawn.event_type = at(eventTypes, random());
    drawn.user_id = at(userIds, random());
    drawn.page_id = at(pageIds, random());
    drawn.ip_address = at(ipAddresses, random());
    return drawn;
  };
}

/** The ads are the same whatever the seed, so that producers with different ones share them. */
function allAds(): Ad[] {
  return numbered("ad_", campaigns * adsPerCampaign).map((adId, index) => ({
    ad_id: adId,
    ad_type: at(adTypes, randomAt(0, index)()),
    campaign_id: `campaign_${Math.floor(index / adsPerCampaign)}`,
    key: Buffer.from(adId),
  }));
}

function numbered(prefix: string, count: number): string[] {
  const width = String(count - 1).length;
  return Array.from({ length: count }, (_, index) => prefix + String(index).padStart(width, "0"));
}

/** One of the private range 10.0.0.0/8: nobody's. */
function ipAddress(seed: number, index: number): string {
  const random = randomAt(seed, index);
  const byte = (): number => Math.floor(random() * 256);
  return `10.${byte()}.${byte()}.${byte()}`;
}

/** @param draw in [0, 1) */
function at<Value>(values: readonly Value[], draw: number): Value {
  const value = values[Math.floor(draw * values.length)];
  if (value === undefined) throw new RangeError(`nothing at ${draw} of ${values.length} values`);
  return value;
}
