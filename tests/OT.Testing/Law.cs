using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace OT.Testing;

/// <summary>Runs a property over generated cases with a fixed seed.</summary>
/// <remarks>
/// Environment: <c>OT_SEED</c> (an unsigned number, 20261121 by default) chooses the cases, <c>OT_EFFORT</c> how many: <c>quick</c> (default) or <c>full</c>, 10 000.
/// </remarks>
public static class Law
{
    const ulong DefaultSeed = 20261121;

    /// <summary>The seed in force.</summary>
    public static ulong Seed =>
        ulong.TryParse(Environment.GetEnvironmentVariable("OT_SEED"), CultureInfo.InvariantCulture, out ulong seed)
            ? seed
            : DefaultSeed;

    /// <summary>Whether the long run is asked for.</summary>
    public static bool FullEffort =>
        string.Equals(Environment.GetEnvironmentVariable("OT_EFFORT"), "full", StringComparison.OrdinalIgnoreCase);

    /// <summary>Checks a property on generated cases; the property throws where it does not hold.</summary>
    /// <param name="cases">Where cases come from, and how they shrink.</param>
    /// <param name="property">Throws, by convention <see cref="LawViolatedException"/>, when the case violates it.</param>
    /// <param name="quickCount">Cases in a quick run; 100 by default.</param>
    /// <param name="fullCount">Cases in a full run; 10 000 by default, fewer where one case is slow.</param>
    /// <exception cref="LawViolatedException">Some case violates the property; the message names the smallest such case found, and the seed.</exception>
    public static void Check<T>(Arbitrary<T> cases, Action<T> property, int quickCount = 100, int fullCount = 10_000)
    {
        ArgumentNullException.ThrowIfNull(cases);
        ArgumentNullException.ThrowIfNull(property);
        // Shrinking goes on from failing cases only, so the last failure seen is the smallest.
        T? smallest = default;
        Exception? reason = null;
        bool Holds(T value)
        {
            try
            {
                property(value);
                return true;
            }
#pragma warning disable CA1031 // whatever the property throws is the violation, and is kept as the inner exception
            catch (Exception failure)
#pragma warning restore CA1031
            {
                (smallest, reason) = (value, failure);
                return false;
            }
        }

        Config config = Config
            .Quick.WithMaxTest(FullEffort ? fullCount : quickCount)
            .WithReplay(Seed, 1)
            .WithRunner(new SilentRunner());
        FsCheck.Fluent.Prop.ForAll(cases, Holds).Check(config);
        if (reason is not null)
        {
            throw new LawViolatedException(
                $"{smallest} violates the law (OT_SEED={Seed.ToString(CultureInfo.InvariantCulture)}): {reason.Message}",
                reason
            );
        }
    }

    /// <summary>Failures are reported by exception, the rest by nothing.</summary>
    sealed class SilentRunner : IRunner
    {
        public void OnStartFixture(Type t) { }

        public void OnArguments(
            int ntest,
            Microsoft.FSharp.Collections.FSharpList<object> args,
            Microsoft.FSharp.Core.FSharpFunc<
                int,
                Microsoft.FSharp.Core.FSharpFunc<Microsoft.FSharp.Collections.FSharpList<object>, string>
            > every
        ) { }

        public void OnShrink(
            Microsoft.FSharp.Collections.FSharpList<object> args,
            Microsoft.FSharp.Core.FSharpFunc<Microsoft.FSharp.Collections.FSharpList<object>, string> everyShrink
        ) { }

        public void OnFinished(string name, TestResult testResult) { }
    }
}
