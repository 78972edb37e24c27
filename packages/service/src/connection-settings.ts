import type { z } from "zod";
import type { kafkaEnvironment } from "./environment.ts";
import type { Secret } from "./secret.ts";

type KafkaValues = z.output<z.ZodObject<typeof kafkaEnvironment>>;

/** By structure what the Kafka package connects with; its password is in the clear, so never log it. */
export type KafkaConnectionSettings = {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly securityProtocol: KafkaValues["KAFKA_SECURITY_PROTOCOL"];
  readonly sasl?: {
    readonly mechanism: KafkaValues["KAFKA_SASL_MECHANISM"];
    readonly username: string;
    readonly password: string;
  };
  readonly caFile?: string;
};

/** @param clientId what brokers call this process in their logs and quotas */
export function kafkaSettings(values: KafkaValues, clientId: string): KafkaConnectionSettings {
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = values;
  const { KAFKA_SECURITY_PROTOCOL: securityProtocol, KAFKA_SSL_CA_FILE: caFile } = values;
  return {
    brokers: values.KAFKA_BROKERS,
    clientId,
    securityProtocol,
    ...(username !== undefined && password !== undefined
      ? {
          sasl: {
            mechanism: values.KAFKA_SASL_MECHANISM,
            username,
            password: password.reveal(),
          },
        }
      : {}),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/** By structure what the registry client connects with; never log it. */
export type RegistryConnectionSettings = {
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
};

export function registrySettings(values: {
  readonly SCHEMA_REGISTRY_URL: string;
  readonly SCHEMA_REGISTRY_USERNAME?: string | undefined;
  readonly SCHEMA_REGISTRY_PASSWORD?: Secret | undefined;
}): RegistryConnectionSettings {
  const { SCHEMA_REGISTRY_USERNAME: username, SCHEMA_REGISTRY_PASSWORD: password } = values;
  return {
    url: values.SCHEMA_REGISTRY_URL,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
  };
}
