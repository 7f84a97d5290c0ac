// The API as an OpenAPI 3.1 document (supervisor layer), made from the tables of routes and shapes. Pure.
// https://spec.openapis.org/oas/v3.1.0

import { type Field, shapes } from "./api-shapes.ts";
import { LIMIT_MAX, type Route, routes } from "./api.ts";

type Json = Readonly<Record<string, unknown>>;

/** The whole document. */
export function openApi(version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  const schemas = Object.entries(shapes).map(([name, shape]) => [name, schemaOf(shape)] as const);
  return {
    openapi: "3.1.0",
    info: { title: "snow-owl-tftp", version, description: DESCRIPTION },
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { ...Object.fromEntries(schemas), accepted: ACCEPTED, error: ERROR },
    },
  };
}

const DESCRIPTION =
  "What the TFTP server does, and what it can be told to do. A token is asked for where the configuration says so; whatever changes something needs `status.allow_changes` besides.";

const ACCEPTED: Json = {
  type: "object",
  properties: { accepted: { const: true } },
  required: ["accepted"],
};
const ERROR: Json = {
  type: "object",
  properties: { error: { type: "string" } },
  required: ["error"],
};

function operationOf(route: Route): Json {
  const part = /\{(?<name>\w+)\}/.exec(route.path)?.groups?.["name"];
  const parameters = [
    ...(part === undefined ? [] : [{ name: part, in: "path", required: true, schema: STRING }]),
    ...(route.hasLimit === true ? [LIMIT_PARAMETER] : []),
  ];
  return {
    summary: route.about,
    operationId: operationId(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: { "200": { description: "That.", content: contentOf(route) }, default: FAULT },
  };
}

const STRING: Json = { type: "string" };
const LIMIT_PARAMETER: Json = {
  name: "limit",
  in: "query",
  description: "How many are listed at the most.",
  schema: { type: "integer", minimum: 1, maximum: LIMIT_MAX },
};
const FAULT: Json = {
  description: "Why not.",
  content: { "application/json": { schema: reference("error") } },
};

/** `getClientsAddress` for `GET /api/v1/clients/{address}`. */
function operationId({ method, path }: Route): string {
  const words = path.split("/").slice(3).join(" ").match(/\w+/g) ?? [];
  const names = words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
  return [method.toLowerCase(), ...names].join("");
}

function contentOf({ answer }: Route): Json {
  if (answer === "live") return { "text/event-stream": { schema: STRING } };
  if (answer === "events") return { "text/event-stream": { schema: STRING } };
  return { "application/json": { schema: reference(answer) } };
}

function reference(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function schemaOf(shape: Readonly<Record<string, Field>>): Json {
  const properties = Object.entries(shape).map(([name, field]) => [name, fieldSchema(field)]);
  return {
    type: "object",
    properties: Object.fromEntries(properties) as Json,
    required: Object.keys(shape),
    additionalProperties: false,
  };
}

function fieldSchema(field: Field): Json {
  const { about, isNullable } = field;
  const schema = plainSchema(field);
  return {
    ...(isNullable === true ? { oneOf: [schema, { type: "null" }] } : schema),
    ...(about === undefined ? {} : { description: about }),
  };
}

function plainSchema({ is, of }: Field): Json {
  const inner = typeof of === "string" ? named(of) : {};
  if (is === "word") return { type: "string", enum: of };
  if (is === "object") return inner;
  if (is === "list") return { type: "array", items: inner };
  if (is === "map") return { type: "object", additionalProperties: inner };
  return { type: is };
}

/** A shape, or a scalar. */
function named(name: string): Json {
  return Object.hasOwn(shapes, name) ? reference(name) : { type: name };
}
