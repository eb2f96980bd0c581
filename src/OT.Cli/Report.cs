using System.Globalization;
using System.Text;
using System.Text.Json;
using OT.Results;

namespace OT.Cli;

/// <summary>What a command says of a solve: one JSON object, or a table for people. Null is what is not known.</summary>
sealed record Report
{
    public required string Status { get; init; }
    public required string Method { get; init; }
    public string? Why { get; init; }
    public double? Distance { get; init; }
    public double? Value { get; init; }
    public double? CrossValue { get; init; }
    public double? SelfValueSource { get; init; }
    public double? SelfValueTarget { get; init; }
    public double? TransportCost { get; init; }
    public double? RegularizerValue { get; init; }
    public double? PenaltyValueSource { get; init; }
    public double? PenaltyValueTarget { get; init; }
    public double? DualValue { get; init; }
    public double? LowerBound { get; init; }
    public double? FeasibleTransportCost { get; init; }
    public double? FeasibleValue { get; init; }
    public double? Gap { get; init; }
    public double? MarginalError { get; init; }
    public double? CovarianceError { get; init; }
    public long? Iterations { get; init; }
    public double? Epsilon { get; init; }
    public string? Backend { get; init; }
    public string? Precision { get; init; }
    public int? Threads { get; init; }
    public int? Rows { get; init; }
    public int? Columns { get; init; }
    public double? Seconds { get; init; }
    public double? SetupSeconds { get; init; }
    public double? TransferSeconds { get; init; }
    public string? Message { get; init; }
    public string? Verdict { get; init; }

    /// <summary>What <c>ot invert</c> says beside; arrays of numbers among it.</summary>
    public (string Name, object? Value)[] Inverse { get; init; } = [];

    /// <summary>Fills in what a certificate recomputed.</summary>
    public Report With(Certificate certificate) =>
        this with
        {
            DualValue = certificate.DualValue,
            LowerBound = certificate.LowerBound,
            FeasibleTransportCost = certificate.TransportCost,
            FeasibleValue = certificate.PrimalValue,
            Gap = certificate.Gap,
            MarginalError = certificate.MarginalError,
        };

    public void Write(TextWriter output, bool json)
    {
        if (json)
            WriteJson(output);
        else
            WriteTable(output);
        output.Flush();
    }

    void WriteJson(TextWriter output)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            foreach ((string name, object? value) in Entries())
            {
                switch (value)
                {
                    case double number when double.IsFinite(number):
                        writer.WriteNumber(name, number);
                        break;
                    case long number:
                        writer.WriteNumber(name, number);
                        break;
                    case int number:
                        writer.WriteNumber(name, number);
                        break;
                    case string text:
                        writer.WriteString(name, text);
                        break;
                    case double[] numbers:
                        writer.WriteStartArray(name);
                        foreach (double number in numbers)
                            WriteNumber(writer, number);
                        writer.WriteEndArray();
                        break;
                    case int[] numbers:
                        writer.WriteStartArray(name);
                        foreach (int number in numbers)
                            writer.WriteNumberValue(number);
                        writer.WriteEndArray();
                        break;
                    default:
                        writer.WriteNull(name);
                        break;
                }
            }
            writer.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length));
    }

    static void WriteNumber(Utf8JsonWriter writer, double number)
    {
        if (double.IsFinite(number))
            writer.WriteNumberValue(number);
        else
            writer.WriteNullValue();
    }

    void WriteTable(TextWriter output)
    {
        foreach ((string name, object? value) in Entries())
        {
            // For people: what is unknown, empty, or a part of the value that the problem does not have, is left out.
            bool absent =
                value is null or "" or double.NaN
                || (value is 0.0 && name is not ("value" or "distance" or "transportCost" or "gap" or "marginalError"));
            if (absent || name is "feasibleTransportCost" or "feasibleValue")
                continue;
            string text = value switch
            {
                double[] numbers => Shortened(
                    Array.ConvertAll(numbers, number => number.ToString("G6", CultureInfo.InvariantCulture))
                ),
                int[] numbers => Shortened(Array.ConvertAll(numbers, number => number.ToString(CultureInfo.InvariantCulture))),
                _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
            };
            output.WriteLine($"{Spaced(name), -24}{text}");
        }
    }

    static string Shortened(string[] values)
    {
        const int most = 20;
        return values.Length <= most
            ? string.Join(' ', values)
            : $"{string.Join(' ', values[..most])} ... ({values.Length} in all; --theta or --json gives them)";
    }

    (string Name, object? Value)[] Entries()
    {
        var entries = new List<(string, object?)>
        {
            ("status", Status),
            ("method", Method),
            ("why", Why),
            ("value", Value),
            ("transportCost", TransportCost),
            ("regularizerValue", RegularizerValue),
            ("penaltyValueSource", PenaltyValueSource),
            ("penaltyValueTarget", PenaltyValueTarget),
            ("dualValue", DualValue),
            ("lowerBound", LowerBound),
            ("feasibleTransportCost", FeasibleTransportCost),
            ("feasibleValue", FeasibleValue),
            ("gap", Gap),
            ("marginalError", MarginalError),
            ("iterations", Iterations),
            ("epsilon", Epsilon),
            ("backend", Backend),
            ("precision", Precision),
            ("threads", Threads),
            ("rows", Rows),
            ("columns", Columns),
            ("seconds", Seconds),
            ("setupSeconds", SetupSeconds),
            ("transferSeconds", TransferSeconds),
            ("message", Message),
            ("certificate", Verdict),
        };
        if (CovarianceError is not null)
            entries.Insert(14, ("covarianceError", CovarianceError));
        if (Distance is not null)
            entries.Insert(3, ("distance", Distance));
        if (CrossValue is not null)
        {
            entries.InsertRange(
                4,
                [("crossValue", CrossValue), ("selfValueSource", SelfValueSource), ("selfValueTarget", SelfValueTarget)]
            );
        }
        entries.InsertRange(4, Inverse.Select(entry => (entry.Name, entry.Value)));
        return [.. entries];
    }

    /// <summary>transportCost as "transport cost".</summary>
    static string Spaced(string name) =>
        string.Concat(name.Select(c => char.IsUpper(c) ? $" {char.ToLowerInvariant(c)}" : c.ToString()));
}
