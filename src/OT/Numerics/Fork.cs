using System.Runtime.ExceptionServices;

namespace OT.Numerics;

/// <summary>Two independent pieces of work.</summary>
internal static class Fork
{
    const int WorthAThread = 1 << 14; // elements, of some nanoseconds each

    /// <summary>Does both, on two threads where there are many elements; what one throws comes out as it was thrown.</summary>
    public static void Join(int count, Action first, Action second)
    {
        if (count < WorthAThread)
        {
            first();
            second();
            return;
        }
        try
        {
            Parallel.Invoke(first, second);
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.Flatten().InnerExceptions[0]);
        }
    }
}
