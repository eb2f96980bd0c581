using System.Globalization;
using OT.Results;

namespace OT.MpiHost;

/// <summary>Lines of a key and a value; doubles by their bits, so that a test can compare those.</summary>
sealed class Report(TextWriter output)
{
    public void Number(string key, double value) =>
        Text(key, string.Create(CultureInfo.InvariantCulture, $"{BitConverter.DoubleToUInt64Bits(value):x16} {value:R}"));

    public void Count(string key, long value) => Text(key, value.ToString(CultureInfo.InvariantCulture));

    public void Text(string key, string value) => output.WriteLine($"{key} {value.ReplaceLineEndings(" ")}");

    public void Result(TransportResult result)
    {
        Text("status", result.Status.ToString());
        Text("backend", result.Backend);
        Text("message", result.Message);
        Text("why", result.Why);
        Count("iterations", result.Iterations);
        Number("value", result.Value);
        Number("cost", result.TransportCost);
        Number("error", result.MarginalError);
    }
}
