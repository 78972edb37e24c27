import { describeDocumentStore } from "./conformance/describe-document-store.ts";
import { memoryStore } from "./fakes/memory-store.ts";

describeDocumentStore("memory", async () => memoryStore());
